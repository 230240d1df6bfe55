// Buffer: bytes of a connection that were read and not yet used, in the secret arena.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "base/encoding.h"
#include "base/secret.h"

namespace strongroom::http::internal {

class Buffer {
 public:
  // Room for `capacity` bytes in all; what is there stays, at another address. False: the arena is
  // full.
  [[nodiscard]] bool reserve(std::size_t capacity) {
    if (capacity <= block_.size()) return true;
    auto grown = SecretBytes::allocate(capacity);
    if (!grown) return false;
    if (size_ > 0) std::memcpy(grown->reveal().data(), bytes().data(), size_);
    block_ = *std::move(grown);
    return true;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return block_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return block_.reveal().first(size_); }
  [[nodiscard]] std::string_view text() const noexcept {
    return as_text(block_.reveal().first(size_));
  }
  // Where the next bytes go; commit() says how many came.
  [[nodiscard]] std::span<std::byte> room() noexcept { return block_.reveal().subspan(size_); }
  void commit(std::size_t size) noexcept { size_ += size; }
  // Forgets the first `size` bytes: wiped, and the block given back when none is left.
  void consume(std::size_t size) noexcept {
    const std::size_t left = size_ - size;
    if (left == 0) {
      block_ = SecretBytes{};
    } else {
      std::memmove(block_.reveal().data(), bytes().data() + size, left);
      wipe(block_.reveal().subspan(left, size));
    }
    size_ = left;
  }

 private:
  SecretBytes block_;
  std::size_t size_ = 0;
};

}  // namespace strongroom::http::internal

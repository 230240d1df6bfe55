// SecretResource: Boost.JSON's memory inside the secret arena, so that a parsed card body leaves no
// digit on the heap.
#pragma once

#include <boost/json/memory_resource.hpp>
#include <cstddef>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom::cde {

// Hands out pieces of arena blocks and gives everything back, wiped, when it is destroyed.
// Throws std::bad_alloc when the arena is full: catch it where the JSON is parsed.
class SecretResource final : public boost::json::memory_resource {
 public:
  // Takes a first block of `size` bytes now. exhausted.
  [[nodiscard]] static Result<SecretResource> create(std::size_t size);
  SecretResource(SecretResource&&) noexcept = default;

 private:
  explicit SecretResource(SecretBytes first) { blocks_.push_back(std::move(first)); }
  void* do_allocate(std::size_t size, std::size_t alignment) override;
  void do_deallocate(void*, std::size_t, std::size_t) override {}  // all at once, at the end
  bool do_is_equal(const boost::json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::vector<SecretBytes> blocks_;
  std::size_t used_ = 0;  // of the last block
};

}  // namespace strongroom::cde

// Value: one column of a row, on its way into or out of the database. There is no way in for plain
// bytes: bytes are an id, a hash, or Sealed, so a secret cannot be stored in clear.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace strongroom::crypto {
class Sealed;
}

namespace strongroom::storage {

// Value is null, a 64-bit integer, UTF-8 text without NUL, or bytes. Each reader gives corrupt when
// the database held another kind (null included: ask is_null() first where the column may be null).
class Value {
 public:
  [[nodiscard]] static Value null() { return Value(Content{}); }
  [[nodiscard]] static Value integer(std::int64_t value) { return Value(Content(value)); }
  [[nodiscard]] static Value text(std::string_view value) {
    return Value(Content(std::in_place_type<std::string>, value));
  }
  template <class Tag>
  [[nodiscard]] static Value id(const Id<Tag>& id) {
    return from_bytes(id.bytes);
  }
  // A hash or HMAC of 32 or 64 bytes.
  template <std::size_t N>
    requires(N == 32 || N == 64)
  [[nodiscard]] static Value digest(const std::array<std::byte, N>& digest) {
    return from_bytes(digest);
  }
  [[nodiscard]] static Value sealed(const crypto::Sealed& sealed);

  [[nodiscard]] bool is_null() const noexcept { return content_.index() == 0; }
  [[nodiscard]] Result<std::int64_t> integer() const noexcept;
  // The view is valid while *this lives and is not assigned to.
  [[nodiscard]] Result<std::string_view> text() const& noexcept;
  Result<std::string_view> text() && = delete;
  // The same for bytes().
  [[nodiscard]] Result<std::span<const std::byte>> bytes() const& noexcept;
  Result<std::span<const std::byte>> bytes() && = delete;
  // corrupt also when the bytes have not the form of a sealed blob.
  [[nodiscard]] Result<crypto::Sealed> sealed() const;
  // corrupt also when there are not 16 bytes.
  template <class Tag>
  [[nodiscard]] Result<Id<Tag>> id() const noexcept {
    Id<Tag> id;
    if (!copy_to(id.bytes)) return fail({ErrorCode::corrupt, "column is not an id"});
    return id;
  }
  // corrupt also when there are not N bytes.
  template <std::size_t N>
    requires(N == 32 || N == 64)
  [[nodiscard]] Result<std::array<std::byte, N>> digest() const noexcept {
    std::array<std::byte, N> digest;
    if (!copy_to(digest)) return fail({ErrorCode::corrupt, "column is not a digest"});
    return digest;
  }

  bool operator==(const Value&) const = default;

 private:
  friend class StoredBytes;  // what a database gives back (answer.h)
  using Content = std::variant<std::monostate, std::int64_t, std::string, std::vector<std::byte>>;

  explicit Value(Content content) noexcept : content_(std::move(content)) {}
  static Value from_bytes(std::span<const std::byte> bytes) {
    return Value(Content(std::in_place_type<std::vector<std::byte>>, bytes.begin(), bytes.end()));
  }
  // False unless *this holds exactly out.size() bytes.
  bool copy_to(std::span<std::byte> out) const noexcept;

  Content content_;
};

using Row = std::vector<Value>;
using Rows = std::vector<Row>;

}  // namespace strongroom::storage

// Reading values back.
#include "storage/value.h"

#include <algorithm>

#include "crypto/aead.h"

namespace strongroom::storage {

Value Value::sealed(const crypto::Sealed& sealed) { return from_bytes(sealed.bytes()); }

Result<std::int64_t> Value::integer() const noexcept {
  const auto* number = std::get_if<std::int64_t>(&content_);
  if (!number) return fail({ErrorCode::corrupt, "column is not an integer"});
  return *number;
}

Result<std::string_view> Value::text() const& noexcept {
  const auto* text = std::get_if<std::string>(&content_);
  if (!text) return fail({ErrorCode::corrupt, "column is not text"});
  return *text;
}

Result<std::span<const std::byte>> Value::bytes() const& noexcept {
  const auto* bytes = std::get_if<std::vector<std::byte>>(&content_);
  if (!bytes) return fail({ErrorCode::corrupt, "column is not bytes"});
  return *bytes;
}

Result<crypto::Sealed> Value::sealed() const {
  const auto* bytes = std::get_if<std::vector<std::byte>>(&content_);
  if (!bytes) return fail({ErrorCode::corrupt, "column is not a sealed blob"});
  return crypto::Sealed::from_stored(*bytes);
}

bool Value::copy_to(std::span<std::byte> out) const noexcept {
  const auto* bytes = std::get_if<std::vector<std::byte>>(&content_);
  if (!bytes || bytes->size() != out.size()) return false;
  std::ranges::copy(*bytes, out.begin());
  return true;
}

}  // namespace strongroom::storage

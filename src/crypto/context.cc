#include "crypto/context.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::crypto {
namespace {

constexpr std::size_t kTypicalSize = 192;  // one allocation for every context in use

std::array<std::byte, 4> length_of(std::span<const std::byte> field) {
  SR_CHECK(field.size() <= std::numeric_limits<std::uint32_t>::max());
  const auto size = static_cast<std::uint32_t>(field.size());
  return {std::byte(size >> 24), std::byte(size >> 16), std::byte(size >> 8), std::byte(size)};
}

}  // namespace

Context::Context(std::string_view label) {
  bytes_.reserve(kTypicalSize);
  add(label);
}

Context& Context::add(std::span<const std::byte> field) {
  append_bytes(bytes_, length_of(field));
  append_bytes(bytes_, field);
  return *this;
}

Context& Context::add(std::string_view field) { return add(as_bytes(field)); }

Context& Context::add(std::uint32_t value) {
  append_u32be(bytes_, sizeof value);
  append_u32be(bytes_, value);
  return *this;
}

Context& Context::add(std::uint64_t value) {
  append_u32be(bytes_, sizeof value);
  append_u64be(bytes_, value);
  return *this;
}

Result<SecretBytes> Context::with_secret(std::span<const std::byte> field) const {
  const std::array<std::byte, 4> length = length_of(field);
  SR_TRY(SecretBytes joined, SecretBytes::allocate(bytes_.size() + length.size() + field.size()));
  auto out = std::ranges::copy(bytes_, joined.reveal().begin()).out;
  out = std::ranges::copy(length, out).out;
  std::ranges::copy(field, out);
  return joined;
}

}  // namespace strongroom::crypto

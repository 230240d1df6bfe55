// UUID v7: making, writing, reading.
#include "base/id.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom {
namespace {

constexpr std::size_t kTextSize = 36;

constexpr bool is_dash(std::size_t at) noexcept {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

}  // namespace

std::array<std::byte, 16> uuid_v7(std::uint64_t unix_ms,
                                  std::span<const std::byte, 10> random) noexcept {
  std::array<std::byte, 16> id{};
  for (std::size_t i = 0; i < 6; ++i) id[i] = static_cast<std::byte>(unix_ms >> (40 - 8 * i));
  std::ranges::copy(random, id.begin() + 6);
  id[6] = (id[6] & std::byte{0x0f}) | std::byte{0x70};  // version 7
  id[8] = (id[8] & std::byte{0x3f}) | std::byte{0x80};  // variant 10
  return id;
}

std::string uuid_text(std::span<const std::byte, 16> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(kTextSize, '-');
  std::size_t at = 0;
  for (const std::byte byte : bytes) {
    if (is_dash(at)) ++at;  // dashes stand between bytes
    text[at++] = kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text[at++] = kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

Result<std::array<std::byte, 16>> parse_uuid(std::string_view text) noexcept {
  constexpr Error kNotUuid{ErrorCode::invalid_argument, "not a lower-case UUID"};
  if (text.size() != kTextSize) return fail(kNotUuid);
  std::array<char, 32> digits{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash(i) != (text[i] == '-')) return fail(kNotUuid);
    if (!is_dash(i)) digits[count++] = text[i];
  }
  std::array<std::byte, 16> bytes{};
  if (!parse_hex({digits.data(), digits.size()}, bytes)) return fail(kNotUuid);
  return bytes;
}

}  // namespace strongroom

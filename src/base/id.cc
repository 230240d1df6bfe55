// UUID v7: making, writing, reading.
#include "base/id.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom {

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
  std::string text = hex(bytes);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
  return text;
}

Result<std::array<std::byte, 16>> parse_uuid(std::string_view text) noexcept {
  constexpr Error kNotUuid{ErrorCode::invalid_argument, "not a lower-case UUID"};
  if (text.size() != 36) return fail(kNotUuid);
  std::array<char, 32> digits{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return fail(kNotUuid);
    if (!dash) digits[count++] = text[i];
  }
  std::array<std::byte, 16> bytes{};
  if (!parse_hex({digits.data(), digits.size()}, bytes)) return fail(kNotUuid);
  return bytes;
}

}  // namespace strongroom

// What writer and reader of an entry's JSON must agree on to the byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace strongroom::audit {

inline constexpr std::string_view kOcsfVersion = "1.3.0";
inline constexpr int kClassUid = 6003;  // API Activity
inline constexpr std::string_view kMasked = "[masked]";
inline constexpr std::string_view kThisHost = R"("name":"local")";
inline constexpr std::size_t kBinDigitsMax = 8;
inline constexpr std::size_t kLast4Digits = 4;

// How much of a text needs no second look: its first `size` bytes are printable ASCII without
// quotes and backslashes, with at most `digits` digits between which no letter stands.
struct PlainRun {
  std::size_t size = 0;
  std::size_t digits = 0;
};
[[nodiscard]] PlainRun plain_run(std::string_view text) noexcept;

// With fewer digits so close together no text holds a card number (ISO/IEC 7812-1);
// base/pan_scan.h looks at the others.
inline constexpr std::size_t kPanDigitsMin = 12;

// Bytes of the first character of `text`: 0 when it is a control character or not UTF-8 (RFC 3629:
// shortest form, no surrogates, at most U+10FFFF). REQUIRES: !text.empty().
[[nodiscard]] std::size_t character_size(std::string_view text) noexcept;

// 2026-11-21T22:00:00.123Z
struct Timestamp {
  std::array<char, 24> text;
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text.size()}; }
};
// REQUIRES: a year of four digits.
[[nodiscard]] Timestamp timestamp(std::int64_t unix_ms) noexcept;

// The last millisecond of the year 9999, after which a timestamp has no form.
inline constexpr std::int64_t kTimeMaxMs = 253'402'300'799'999;

}  // namespace strongroom::audit

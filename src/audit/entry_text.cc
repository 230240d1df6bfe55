// Characters and times of an entry.
#include "audit/entry_text.h"

#include <algorithm>
#include <chrono>

#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr unsigned kDelete = 0x7F;

unsigned byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<unsigned char>(text[at]);
}

// What a byte is to plain_run(): looked up, because the bytes of a text follow no pattern that
// branches could be predicted by.
enum class ByteKind : std::uint8_t { not_plain, digit, letter, other };
constexpr std::array<ByteKind, 256> kByteKinds = [] {
  std::array<ByteKind, 256> kinds{};
  for (unsigned byte = ' '; byte < kDelete; ++byte) kinds[byte] = ByteKind::other;
  for (unsigned byte = '0'; byte <= '9'; ++byte) kinds[byte] = ByteKind::digit;
  for (unsigned byte = 'A'; byte <= 'Z'; ++byte) kinds[byte] = ByteKind::letter;
  for (unsigned byte = 'a'; byte <= 'z'; ++byte) kinds[byte] = ByteKind::letter;
  kinds['"'] = ByteKind::not_plain;
  kinds['\\'] = ByteKind::not_plain;
  return kinds;
}();

bool continues(std::string_view text, std::size_t at) noexcept {
  return at < text.size() && (byte_at(text, at) & 0xC0U) == 0x80U;
}

}  // namespace

PlainRun plain_run(std::string_view text) noexcept {
  PlainRun run;
  std::size_t close_digits = 0;
  for (; run.size < text.size(); ++run.size) {
    const ByteKind kind = kByteKinds[byte_at(text, run.size)];
    if (kind == ByteKind::not_plain) break;
    close_digits = kind == ByteKind::letter ? 0 : close_digits + (kind == ByteKind::digit ? 1 : 0);
    run.digits = std::max(run.digits, close_digits);
  }
  return run;
}

std::size_t character_size(std::string_view text) noexcept {
  const unsigned first = byte_at(text, 0);
  if (first < 0x80U) return first >= 0x20U && first != kDelete ? 1 : 0;
  if (first < 0xC2U || !continues(text, 1)) return 0;
  const unsigned second = byte_at(text, 1);
  if (first < 0xE0U) return second < 0xA0U && first == 0xC2U ? 0 : 2;  // U+0080..9F: controls
  if (!continues(text, 2)) return 0;
  if (first < 0xF0U) {
    const bool overlong = first == 0xE0U && second < 0xA0U;
    const bool surrogate = first == 0xEDU && second >= 0xA0U;
    return overlong || surrogate ? 0 : 3;
  }
  if (first > 0xF4U || !continues(text, 3)) return 0;
  const bool overlong = first == 0xF0U && second < 0x90U;
  const bool too_high = first == 0xF4U && second >= 0x90U;
  return overlong || too_high ? 0 : 4;
}

Timestamp timestamp(std::int64_t unix_ms) noexcept {
  using std::chrono::milliseconds;
  SR_CHECK(unix_ms >= 0 && unix_ms <= kTimeMaxMs);
  const std::chrono::sys_time<milliseconds> time{milliseconds{unix_ms}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const auto ms_of_day = static_cast<unsigned>((time - day).count());
  Timestamp result{{"0000-00-00T00:00:00.000"}};
  result.text[23] = 'Z';
  const auto put = [&result](std::size_t at, std::size_t digits, unsigned value) {
    for (std::size_t i = digits; i-- > 0; value /= 10) {
      result.text[at + i] = static_cast<char>('0' + value % 10);
    }
  };
  put(0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, ms_of_day / 3'600'000);
  put(14, 2, ms_of_day / 60'000 % 60);
  put(17, 2, ms_of_day / 1'000 % 60);
  put(20, 3, ms_of_day % 1'000);
  return result;
}

}  // namespace strongroom::audit

// Wall clock and RFC 3339, with the proleptic Gregorian calendar of <chrono>.
#include "base/clock.h"

#include <fmt/core.h>

#include <charconv>
#include <chrono>

namespace strongroom {
namespace {

using std::chrono::days;
using std::chrono::microseconds;
using std::chrono::sys_days;

constexpr std::int64_t second_of(std::chrono::year_month_day date) {
  return std::int64_t{sys_days{date}.time_since_epoch().count()} * 86'400;
}

using namespace std::chrono_literals;
constexpr std::int64_t kFirstSecond = second_of(0y / 1 / 1);
constexpr std::int64_t kEndSecond = second_of(10'000y / 1 / 1);

bool digits(std::string_view text, std::size_t at, std::size_t count, int& out) {
  if (at + count > text.size()) return false;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  return std::from_chars(text.data() + at, text.data() + at + count, out).ec == std::errc{};
}

}  // namespace

std::int64_t SystemClock::now_us() const {
  return std::chrono::duration_cast<microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string rfc3339(std::int64_t unix_us) {
  const std::chrono::sys_time<microseconds> time{microseconds{unix_us}};
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::milliseconds>(time - day)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

Result<std::int64_t> parse_rfc3339(std::string_view text) {
  constexpr Error kNotTime{ErrorCode::invalid_argument, "not an RFC 3339 time"};
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!digits(text, 0, 4, year) || !digits(text, 5, 2, month) || !digits(text, 8, 2, day) ||
      !digits(text, 11, 2, hour) || !digits(text, 14, 2, minute) || !digits(text, 17, 2, second)) {
    return fail(kNotTime);
  }
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':') {
    return fail(kNotTime);
  }
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return fail(kNotTime);
  std::size_t at = 19;
  std::int64_t fraction_us = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit_us = 100'000;
    const std::size_t start = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit_us /= 10) {
      fraction_us += unit_us * (text[at] - '0');
    }
    if (at == start) return fail(kNotTime);
  }
  int offset_minutes = 0;
  if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    offset_minutes = 0;
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    int hours = 0, minutes = 0;
    if (!digits(text, at + 1, 2, hours) || !digits(text, at + 4, 2, minutes) || hours > 23 ||
        minutes > 59) {
      return fail(kNotTime);
    }
    offset_minutes = (hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
  } else {
    return fail(kNotTime);
  }
  const std::int64_t seconds =
      second_of(date) + hour * 3'600 + minute * 60 + second - offset_minutes * 60;
  // An offset may carry the time out of the years that four digits can write.
  if (seconds < kFirstSecond || seconds >= kEndSecond) return fail(kNotTime);
  return seconds * 1'000'000 + fraction_us;
}

}  // namespace strongroom

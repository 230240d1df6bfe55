// Finding card numbers in text that must hold none: metadata that is refused, log lines that are
// masked. Errs on the side of finding; what it skips on purpose is said here.
//
// A group is a maximal run of digits: ASCII, full-width, Arabic-Indic or Devanagari. A match is one
// of
//   - a group of 12 to 19 digits (leading zeros apart, as fixed-width files pad), whose first
//     digits are some issuer's: 3 to 6, 81, 2200-2204 or 2221-2720 (the rest of 2 is left to
//     numbers such as Unix times in microseconds from the year 2033 on);
//   - two or more groups, 12 to 19 digits in all, that fit a brand's range and length ("4242 4242
//     4242 4242 12" holds one; two dates side by side do not), with one to four characters between
//     them: either only blanks and dashes, any of Unicode's, line ends included; or anything but
//     ASCII letters, if the groups lie as cards are written: all but the last of one size, four
//     digits or more (4242.4242.4242.4242), or 4, 6 and the rest, or each of one digit (times,
//     dates, amounts and IP addresses do not);
//   - a group of 20 digits or more that contains such a brand's number: the whole group is the
//     match;
// and always the check digit is right (ISO/IEC 7812-1 annex B). Not matches: digits of a UUID (RFC
// 9562, its version and variant right) and of a hexadecimal word as long as a digest (32, 40, 64,
// 96 or 128 characters of one case, an eighth of them letters). Not found: a number in words, with
// letters or more than four characters between its groups, in another layout between marks
// (42.42.42...), in an encoding (4242%204242...), or split over several texts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace strongroom {

// PanSpan is the place of one match: text.substr(offset, size) begins and ends with a digit.
struct PanSpan {
  std::size_t offset;
  std::size_t size;
};

// True when `text` contains a match. Allocates nothing; linear in the size of `text`.
[[nodiscard]] bool looks_like_pan(std::string_view text) noexcept;

// Every match in ascending order; matches that overlap are joined into one span.
[[nodiscard]] std::vector<PanSpan> find_pans(std::string_view text);

// `text` with each digit of each match, whatever its bytes, replaced by one '*'. The result
// contains no match.
[[nodiscard]] std::string mask_pans(std::string_view text);

}  // namespace strongroom

// The scan walks the groups of digits once; only a candidate with a right check digit pays for the
// look at its surroundings (UUIDs and digests), which are one in hundreds of lines.
#include "base/pan_scan.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace strongroom {
namespace {

constexpr std::size_t kPanSizeMin =
    12;  // our floor; the standard's shortest numbers are not in use
constexpr std::size_t kPanSizeMax = 19;  // ISO/IEC 7812-1 section 4

// Issuer identification numbers by brand, as the first six digits, with the lengths in use.
struct BrandRange {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t sizes;  // bit n: n digits
};
constexpr std::uint32_t sizes(std::size_t from, std::size_t to) {
  std::uint32_t bits = 0;
  for (std::size_t size = from; size <= to; ++size) bits |= 1U << size;
  return bits;
}
constexpr std::array kBrandRanges{
    BrandRange{220000, 220499, sizes(16, 19)},                                  // Mir
    BrandRange{222100, 272099, sizes(16, 16)},                                  // Mastercard
    BrandRange{300000, 305999, sizes(14, 19)},                                  // Diners Club
    BrandRange{340000, 349999, sizes(15, 15)},                                  // American Express
    BrandRange{352800, 358999, sizes(16, 19)},                                  // JCB
    BrandRange{360000, 369999, sizes(14, 19)},                                  // Diners Club
    BrandRange{370000, 379999, sizes(15, 15)},                                  // American Express
    BrandRange{380000, 399999, sizes(14, 19)},                                  // Diners Club
    BrandRange{400000, 499999, sizes(13, 13) | sizes(16, 16) | sizes(19, 19)},  // Visa
    BrandRange{500000, 509999, sizes(12, 19)},                                  // Maestro
    BrandRange{510000, 559999, sizes(16, 16)},                                  // Mastercard
    BrandRange{560000, 699999, sizes(12, 19)},  // Maestro, Discover, UnionPay 62, RuPay
    BrandRange{810000, 819999, sizes(16, 19)},  // UnionPay
};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hex_letter(char c) { return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
constexpr bool is_hex(char c) { return is_digit(c) || is_hex_letter(c); }
constexpr bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Digits is a number as it grows digit by digit: its size, first six digits and Luhn sum.
class Digits {
 public:
  void push(char c) {
    const auto value = static_cast<std::uint32_t>(c - '0');
    if (size_ < 6) prefix_ = prefix_ * 10 + value;
    const std::uint32_t doubled = value < 5 ? value * 2 : value * 2 - 9;
    // Which digits are doubled depends on where the number ends, so both sums are kept.
    sums_[size_ % 2] += doubled;
    sums_[1 - size_ % 2] += value;
    ++size_;
  }
  std::size_t size() const { return size_; }
  bool check_digit_right() const { return sums_[size_ % 2] % 10 == 0; }
  bool size_fits() const { return size_ >= kPanSizeMin && size_ <= kPanSizeMax; }
  bool fits_issuer() const {
    return (prefix_ >= 300000 && prefix_ <= 699999) || (prefix_ >= 220000 && prefix_ <= 220499) ||
           (prefix_ >= 222100 && prefix_ <= 272099);
  }
  bool fits_brand() const {
    return size_fits() && std::ranges::any_of(kBrandRanges, [this](const BrandRange& range) {
             return prefix_ >= range.first && prefix_ <= range.last &&
                    (range.sizes >> size_ & 1U) != 0;
           });
  }

 private:
  std::size_t size_ = 0;
  std::uint32_t prefix_ = 0;
  std::array<std::uint32_t, 2>
      sums_{};  // [n]: the sum with the digits at indexes n, n + 2, ... doubled
};

bool is_uuid(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  const bool version = text[14] >= '1' && text[14] <= '8';
  return version && std::string_view("89abAB").find(text[19]) != std::string_view::npos;
}

bool in_uuid(std::string_view text, std::size_t at) {
  constexpr std::size_t kUuidSize = 36;
  const std::size_t first = at < kUuidSize - 1 ? 0 : at - (kUuidSize - 1);
  for (std::size_t begin = first; begin <= at && begin + kUuidSize <= text.size(); ++begin) {
    const std::size_t end = begin + kUuidSize;
    if (begin > 0 && is_hex(text[begin - 1])) continue;
    if (end < text.size() && is_hex(text[end])) continue;
    if (is_uuid(text.substr(begin, kUuidSize))) return true;
  }
  return false;
}

bool in_digest(std::string_view text, std::size_t at) {
  constexpr std::array<std::size_t, 5> kDigestSizes{32, 40, 64, 96, 128};
  std::size_t begin = at;
  std::size_t end = at;
  while (begin > 0 && is_word(text[begin - 1]) && at - begin <= kDigestSizes.back()) --begin;
  while (end < text.size() && is_word(text[end]) && end - at <= kDigestSizes.back()) ++end;
  const std::string_view word = text.substr(begin, end - begin);
  if (std::ranges::find(kDigestSizes, word.size()) == kDigestSizes.end()) return false;
  const auto lower = std::ranges::count_if(word, [](char c) { return c >= 'a' && c <= 'f'; });
  const auto upper = std::ranges::count_if(word, [](char c) { return c >= 'A' && c <= 'F'; });
  return std::ranges::all_of(word, is_hex) && (lower == 0 || upper == 0) &&
         static_cast<std::size_t>(lower + upper) >= word.size() / 8;
}

bool in_identifier(std::string_view text, std::size_t at) {
  return in_uuid(text, at) || in_digest(text, at);
}

std::size_t group_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// True when some number inside `group`, 20 digits or more, fits a brand.
bool contains_brand_number(std::string_view group) {
  for (std::size_t begin = 0; begin + kPanSizeMin <= group.size(); ++begin) {
    Digits digits;
    for (const char c : group.substr(begin, kPanSizeMax)) {
      digits.push(c);
      if (digits.check_digit_right() && digits.fits_brand()) return true;
    }
  }
  return false;
}

bool group_matches(std::string_view group) {
  if (group.size() < kPanSizeMin) return false;
  if (group.size() > kPanSizeMax) return contains_brand_number(group);
  Digits digits;
  for (const char c : group.substr(std::min(group.find_first_not_of('0'), group.size()))) {
    digits.push(c);
  }
  return digits.size_fits() && digits.check_digit_right() &&
         (digits.fits_issuer() || digits.fits_brand());
}

// End of the longest match of two or more groups that begins with the group at `begin`, or `begin`.
std::size_t joined_match_end(std::string_view text, std::size_t begin, std::size_t first_end) {
  std::size_t found = begin;
  Digits digits;
  for (std::size_t at = begin, end = first_end; digits.size() + (end - at) <= kPanSizeMax;) {
    for (; at < end; ++at) digits.push(text[at]);
    const bool joined = at != first_end;
    if (joined && digits.check_digit_right() && digits.fits_brand() &&
        !in_identifier(text, at - 1)) {
      found = at;
    }
    if (at + 1 >= text.size() || (text[at] != ' ' && text[at] != '-') || !is_digit(text[at + 1])) {
      break;
    }
    end = group_end(text, ++at);
  }
  return found;
}

// Calls `found(begin, end)` for each match by ascending begin until it returns false.
template <class Found>
void scan(std::string_view text, Found found) {
  if (text.size() < kPanSizeMin) return;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at])) continue;
    const std::size_t end = group_end(text, at);
    std::size_t match_end = joined_match_end(text, at, end);
    if (match_end == at && group_matches(text.substr(at, end - at))) match_end = end;
    if (match_end != at && !in_identifier(text, at) && !found(at, match_end)) return;
    at = end;
  }
}

}  // namespace

bool looks_like_pan(std::string_view text) noexcept {
  bool any = false;
  scan(text, [&any](std::size_t, std::size_t) {
    any = true;
    return false;
  });
  return any;
}

std::vector<PanSpan> find_pans(std::string_view text) {
  std::vector<PanSpan> spans;
  scan(text, [&spans](std::size_t begin, std::size_t end) {
    if (!spans.empty() && begin < spans.back().offset + spans.back().size) {
      PanSpan& last = spans.back();
      last.size = std::max(last.size, end - last.offset);
    } else {
      spans.push_back({begin, end - begin});
    }
    return true;
  });
  return spans;
}

std::string mask_pans(std::string_view text) {
  std::string masked(text);
  for (const auto [offset, size] : find_pans(text)) {
    for (char& c : std::span(masked).subspan(offset, size)) {
      if (is_digit(c)) c = '*';
    }
  }
  return masked;
}

}  // namespace strongroom

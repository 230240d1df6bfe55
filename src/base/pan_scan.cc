// The scan walks the characters once and looks ahead from each group of digits, at most over the
// groups of one number; only a candidate with a right check digit pays for the look at its
// surroundings (UUIDs and digests), which are one in hundreds of lines.
#include "base/pan_scan.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/pan_characters.h"

namespace strongroom {
namespace {

constexpr std::size_t kPanSizeMin =
    12;  // our floor; the standard's shortest numbers are not in use
constexpr std::size_t kPanSizeMax = 19;  // ISO/IEC 7812-1 section 4
constexpr std::size_t kGapSizeMax = 4;   // characters; `", "` is one of the longest seen
// As cards print them. Times, dates, amounts and addresses have shorter groups between marks.
constexpr std::size_t kMarkedGroupSizeMin = 4;

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

constexpr bool is_hex_letter(char c) { return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
constexpr bool is_hex(char c) { return is_digit(c) || is_hex_letter(c); }
constexpr bool is_word(char c) { return is_digit(c) || is_letter(c); }

// Digits is a number as it grows digit by digit: its size, first six digits and Luhn sum.
class Digits {
 public:
  void push(std::uint32_t value) {
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
  // False when no brand's number begins like this.
  bool may_fit_brand() const {
    return size_ < 6 || any_range([](const BrandRange&) { return true; });
  }
  bool fits_brand() const {
    return size_fits() &&
           any_range([this](const BrandRange& range) { return (range.sizes >> size_ & 1U) != 0; });
  }

 private:
  template <class Holds>
  bool any_range(Holds holds) const {
    return std::ranges::any_of(kBrandRanges, [this, holds](const BrandRange& range) {
      return prefix_ >= range.first && prefix_ <= range.last && holds(range);
    });
  }

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

// Group is a maximal run of digits: bytes [begin, end) of the text.
struct Group {
  std::size_t begin;
  std::size_t end;
  std::size_t digits;
};

// The group that begins at `begin`; empty where no digit stands.
Group group_at(std::string_view text, std::size_t begin) {
  Group group{begin, begin, 0};
  while (group.end < text.size()) {
    std::size_t size = 1;
    if (!is_digit(text[group.end])) {
      if (is_ascii(text[group.end])) break;
      const Character character = wide_character(text, group.end);
      if (character.kind != Kind::digit) break;
      size = character.size;
    }
    group.end += size;
    ++group.digits;
  }
  return group;
}

// Calls `push(value)` for each digit of `group`, a text of digits only, until it returns false.
template <class Push>
void each_digit(std::string_view group, Push push) {
  for (std::size_t at = 0; at < group.size();) {
    const Character digit = character_at(group, at);
    if (!push(digit.value)) return;
    at += digit.size;
  }
}

// True when some number inside `group`, 20 digits or more, fits a brand.
bool contains_brand_number(std::string_view group) {
  bool found = false;
  for (std::size_t begin = 0; begin < group.size() && !found;) {
    Digits digits;
    each_digit(group.substr(begin), [&](std::uint32_t value) {
      digits.push(value);
      found = digits.check_digit_right() && digits.fits_brand();
      return !found && digits.size() < kPanSizeMax;
    });
    begin += character_at(group, begin).size;
  }
  return found;
}

bool group_matches(std::string_view text, const Group& group) {
  if (group.digits < kPanSizeMin) return false;
  const std::string_view run = text.substr(group.begin, group.end - group.begin);
  if (group.digits > kPanSizeMax) return contains_brand_number(run);
  Digits digits;
  each_digit(run, [&digits](std::uint32_t value) {
    if (value != 0 || digits.size() > 0) digits.push(value);
    return true;
  });
  return digits.size_fits() && digits.check_digit_right() &&
         (digits.fits_issuer() || digits.fits_brand());
}

// Gap is what stands between two groups that may be of one number.
struct Gap {
  std::size_t end;
  bool marked;  // holds something else than blanks and dashes
};

// The gap that begins at `begin`; none when a letter, the end or too much stands before a digit.
std::optional<Gap> gap_at(std::string_view text, std::size_t begin) {
  Gap gap{begin, false};
  for (std::size_t size = 0; size <= kGapSizeMax && gap.end < text.size(); ++size) {
    const Character character = character_at(text, gap.end);
    if (character.kind == Kind::digit) return gap;
    if (character.kind == Kind::letter) return std::nullopt;
    gap.marked = gap.marked || character.kind == Kind::mark;
    gap.end += character.size;
  }
  return std::nullopt;
}

// Layout says whether the groups of a number lie as cards are written.
class Layout {
 public:
  void add_gap(const Gap& gap) { marked_ = marked_ || gap.marked; }
  void add_group(const Group& group) {
    if (groups_ == 0) first_ = group.digits;
    if (groups_ > 0) {
      even_ = even_ && last_ == first_ && last_ >= kMarkedGroupSizeMin;
      four_six_ = four_six_ && groups_ <= 2 && last_ == (groups_ == 1 ? 4 : 6);
    }
    single_ = single_ && group.digits == 1;
    last_ = group.digits;
    ++groups_;
  }
  // Once false, it stays so whatever follows.
  bool fits() const { return !marked_ || even_ || four_six_ || single_; }

 private:
  bool marked_ = false;
  bool even_ = true;      // all groups but the last have the same size, and a long one
  bool four_six_ = true;  // American Express and Diners Club: the last is the third
  bool single_ = true;    // each digit stands alone
  std::size_t groups_ = 0;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

// End of the longest match of two or more groups that begins with `first`, or `first.begin`.
std::size_t joined_match_end(std::string_view text, const Group& first) {
  std::size_t found = first.begin;
  const std::uint32_t begin = character_at(text, first.begin).value;
  if (begin < 2 || begin == 7 || begin == 9) return found;  // no brand's number: most times, say
  Digits digits;
  Layout layout;
  Group group = first;
  while (digits.size() + group.digits <= kPanSizeMax) {
    const auto gap = gap_at(text, group.end);
    if (!gap && group.begin == first.begin) break;  // most groups stand alone
    each_digit(text.substr(group.begin, group.end - group.begin), [&digits](std::uint32_t value) {
      digits.push(value);
      return true;
    });
    layout.add_group(group);
    if (!layout.fits() || !digits.may_fit_brand()) break;  // no further group would change it
    if (group.begin != first.begin && digits.check_digit_right() && digits.fits_brand() &&
        !in_identifier(text, group.end - 1)) {
      found = group.end;
    }
    if (!gap) break;
    layout.add_gap(*gap);
    group = group_at(text, gap->end);
  }
  return found;
}

// Calls `found(begin, end)` for each match by ascending begin until it returns false.
template <class Found>
void scan(std::string_view text, Found found) {
  if (text.size() < kPanSizeMin) return;
  for (std::size_t at = next_digit(text, 0); at < text.size(); at = next_digit(text, at)) {
    const Group group = group_at(text, at);
    std::size_t match_end = joined_match_end(text, group);
    if (match_end == at && group_matches(text, group)) match_end = group.end;
    if (match_end != at && !in_identifier(text, at) && !found(at, match_end)) return;
    at = group.end;
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
  std::string masked;
  masked.reserve(text.size());
  std::size_t at = 0;
  for (const auto [offset, size] : find_pans(text)) {
    masked += text.substr(at, offset - at);
    for (at = offset; at < offset + size;) {
      const Character character = character_at(text, at);
      if (character.kind == Kind::digit) {
        masked += '*';
      } else {
        masked += text.substr(at, character.size);
      }
      at += character.size;
    }
  }
  return masked += text.substr(at);
}

}  // namespace strongroom

#include "base/pan_scan.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cctype>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/id.h"

namespace strongroom {
namespace {

// `prefix` filled up to `size` digits, the last one the check digit.
std::string number_of(std::string prefix, std::size_t size) {
  while (prefix.size() + 1 < size) prefix += static_cast<char>('0' + *rc::gen::inRange(0, 10));
  for (char check = '0'; check <= '9'; ++check) {
    int sum = 0;
    const std::string number = prefix + check;
    for (std::size_t i = 0; i < number.size(); ++i) {
      int value = number[number.size() - 1 - i] - '0';
      if (i % 2 == 1) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
      sum += value;
    }
    if (sum % 10 == 0) return number;
  }
  return {};
}

struct Brand {
  const char* prefix;
  std::size_t size;
};
constexpr std::array kBrands{
    Brand{"4", 13},    Brand{"4", 16},    Brand{"4", 19},  Brand{"51", 16},     Brand{"55", 16},
    Brand{"2221", 16}, Brand{"2720", 16}, Brand{"34", 15}, Brand{"37", 15},     Brand{"6011", 16},
    Brand{"644", 16},  Brand{"649", 19},  Brand{"65", 16}, Brand{"622126", 16}, Brand{"622925", 19},
    Brand{"300", 14},  Brand{"305", 19},  Brand{"36", 14}, Brand{"38", 16},     Brand{"39", 14},
    Brand{"3528", 16}, Brand{"3589", 19}, Brand{"62", 16}, Brand{"62", 19},     Brand{"81", 16},
    Brand{"50", 12},   Brand{"56", 13},   Brand{"69", 19}, Brand{"2200", 16},   Brand{"2204", 19}};

std::string brand_number() {
  const Brand& brand = kBrands.at(*rc::gen::inRange<std::size_t>(0, kBrands.size()));
  return number_of(brand.prefix, brand.size);
}

// Text that neither holds digits nor joins groups of them.
std::string digitless() {
  return *rc::gen::container<std::string>(rc::gen::suchThat(rc::gen::character<char>(), [](char c) {
    constexpr std::string_view kWideDigitLeads = "\xD9\xDB\xE0\xEF";  // their first bytes
    return std::isdigit(static_cast<unsigned char>(c)) == 0 && !kWideDigitLeads.contains(c);
  }));
}

std::string stars(std::string text) {
  for (char& c : text) {
    if (c >= '0' && c <= '9') c = '*';
  }
  return text;
}

TEST(PanScanTest, FindsTheProcessorsTestNumbers) {
  for (const char* number :
       {"4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222",
        "5200828282828210", "378282246310005", "371449635398431", "6011111111111117",
        "3056930009020004", "36227206271667", "6555900000604105", "3566002020360505",
        "6200000000000005", "6205500000000000004", "4222222222222", "501800000009"}) {
    EXPECT_TRUE(looks_like_pan(number)) << number;
    EXPECT_EQ(mask_pans(number), stars(number));
  }
}

TEST(PanScanTest, FindsNumbersInsideText) {
  for (const char* text : {
           "order 7 card 4242424242424242 exp 12/27",
           "card=4242424242424242&cvc=123",
           "4242 4242 4242 4242",
           "4242-4242-4242-4242",
           "3782 822463 10005",
           "card no. 12 4242 4242 4242 4242 12 27",    // digits before and after
           "4242424242424242 1227",                    // expiry after a space
           "0004242424242424242",                      // padded to 19
           "00000000004242424242424242",               // padded to 26
           "42424242424242421227",                     // expiry appended
           "%B4242424242424242^DOE/JANE^2712101?",     // track 1
           ";4242424242424242=27121010000000000000?",  // track 2
           "x4242424242424242y",
           "/v1/tokens/4242424242424242",
           "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
       }) {
    EXPECT_TRUE(looks_like_pan(text)) << text;
    EXPECT_FALSE(looks_like_pan(mask_pans(text))) << text;
  }
}

TEST(PanScanTest, FindsNumbersBetweenOtherSeparators) {
  for (const char* text : {
           "4242.4242.4242.4242",
           "4242/4242/4242/4242",
           "4242_4242_4242_4242",
           "4242, 4242, 4242, 4242",
           R"(["4242", "4242", "4242", "4242"])",
           "4242+4242+4242+4242",
           "3782*822463*10005",
           "4222.2222.2222.2",
           "424242:4242424242",
           "4.2.4.2.4.2.4.2.4.2.4.2.4.2.4.2",
           "42  42  42  42  42  42  42  42",  // two spaces
           "4242\t4242\t4242\t4242",
           "4242\r\n4242\r\n4242\r\n4242",
           "4242 - 4242 - 4242 - 4242",
           "4242\u00a04242\u00a04242\u00a04242",                    // no-break space
           "4242\u20134242\u20134242\u20134242",                    // en dash
           "4242 \u2212 4242 \u2212 4242 \u2212 4242",              // minus
           "42\u200b42\u200b42\u200b42\u200b42\u200b42\u200b4242",  // no width
           "4242\u3000424242424242",                                // ideographic space
           "4242\u00b74242\u00b74242\u00b74242",                    // middle dot
           "4242\xff"
           "4242\xff"
           "4242\xff"
           "4242",                                                      // not UTF-8
           "\uff14\uff12\uff14\uff1242424242\uff14\uff12\uff14\uff12",  // full-width
           "\u0664\u0662\u0664\u0662 \u06f4\u06f2\u06f4\u06f2 \u096a\u0968\u096a\u0968 4242",
       }) {
    EXPECT_TRUE(looks_like_pan(text)) << text;
    EXPECT_FALSE(looks_like_pan(mask_pans(text))) << text;
  }
}

TEST(PanScanTest, LeavesOtherTextAlone) {
  for (const char* text : {
           "",
           "4242424242424241",                      // check digit
           "42424242424",                           // 11 digits
           "4242     4242     4242     4242",       // five spaces
           "4242x4242x4242x4242",                   // letters
           "42.42.42.42.42.42.42.42",               // documented: no card's layout
           "4242.42.42424242.42",                   //
           "7992739871300",                         // no issuer
           "2026-11-21 2026-11-22",                 // two dates
           "2026-11-21T22:00:00.123456Z",           //
           "1795298400123456",                      // Unix microseconds, 2026
           "2000000000000000 2099999999999992",     // Unix microseconds, 2033 to 2036
           "018f3b6a-4242-7424-8242-424242424242",  // UUID v7
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",  // traceparent
           "da39a3ee5e6b4b0d3255bfef95601890afd80709",                 // SHA-1
           "pay_4242424242424241",
       }) {
    EXPECT_FALSE(looks_like_pan(text)) << text;
    EXPECT_EQ(mask_pans(text), text);
  }
}

TEST(PanScanTest, SpansOverlappingMatchesOnce) {
  const std::string text = "a 4242424242424242, b 5555 5555 5555 4444.";
  const auto spans = find_pans(text);
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(text.substr(spans[0].offset, spans[0].size), "4242424242424242");
  EXPECT_EQ(text.substr(spans[1].offset, spans[1].size), "5555 5555 5555 4444");
  EXPECT_EQ(mask_pans(text), "a ****************, b **** **** **** ****.");
}

TEST(PanScanTest, MasksEachDigitWhateverItsBytes) {
  EXPECT_EQ(mask_pans("a \uff14242\u20134242.4242 4242 b 12"), "a ****\u2013****.**** **** b 12");
}

TEST(PanScanTest, TakesDigestsWithoutLettersAndUuidsOfNoVersionForDigits) {
  // 32 digits are no digest, and a UUID's version and variant must be right.
  EXPECT_TRUE(looks_like_pan("00000000000000004242424242424242"));
  EXPECT_TRUE(looks_like_pan("00000000-4242-4242-4242-424200000000"));
  EXPECT_FALSE(looks_like_pan("aaaaaaaaaaaaaaaa4242424242424242"));
  EXPECT_TRUE(looks_like_pan("aaaaaaaaaaaaaaaaa4242424242424242"));  // 33 characters
  EXPECT_TRUE(looks_like_pan("aaaaaaaaaaaaaaaA4242424242424242"));   // both cases
}

RC_GTEST_PROP(PanScanProperty, FindsEveryBrandNumberInRandomText, ()) {
  const std::string number = brand_number();
  const std::string text = digitless() + "|" + number + "|" + digitless();
  RC_ASSERT(looks_like_pan(text));
  RC_ASSERT(mask_pans(text).find(number) == std::string::npos);
  RC_ASSERT(mask_pans(text).size() == text.size());
}

RC_GTEST_PROP(PanScanProperty, FindsSeparatedBrandNumbers, ()) {
  const std::string number = brand_number();
  const std::string separator = *rc::gen::element<std::string>(
      " ", "-", "  ", "\t", " - ", "\r\n", "\u00a0", "\u2009", "\u2011", "\u2013", "\u200b");
  std::string text;
  for (std::size_t i = 0; i < number.size(); ++i) {
    if (i > 0 && *rc::gen::arbitrary<bool>()) text += separator;
    text += number[i];
  }
  RC_ASSERT(looks_like_pan(text));
  RC_ASSERT(looks_like_pan("7 " + text + " 11"));
  RC_ASSERT(mask_pans(text) == stars(text));
}

RC_GTEST_PROP(PanScanProperty, FindsBrandNumbersWithMarksBetweenGroupsOfFour, ()) {
  const std::string number = brand_number();
  const std::string_view marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\x01\x7f\x80\xff";
  std::string gap;
  for (int size = *rc::gen::inRange(1, 5); size > 0; --size) {
    gap += marks[*rc::gen::inRange<std::size_t>(0, marks.size())];
  }
  std::string text;
  for (std::size_t i = 0; i < number.size(); ++i) {
    if (i > 0 && i % 4 == 0) text += gap;
    text += number[i];
  }
  RC_ASSERT(looks_like_pan(text));
  RC_ASSERT(mask_pans(text) == stars(text));
}

RC_GTEST_PROP(PanScanProperty, FindsBrandNumbersInLongDigitRuns, ()) {
  const auto digits = rc::gen::container<std::string>(rc::gen::inRange('0', ':'));
  const std::string text = *digits + brand_number() + *digits;
  RC_PRE(text.size() >= 20);
  RC_ASSERT(looks_like_pan(text));
  RC_ASSERT(mask_pans(text) == stars(text));
}

RC_GTEST_PROP(PanScanProperty, MaskedTextHoldsNoMatch, ()) {
  const std::string text = *rc::gen::container<std::string>(rc::gen::element(
      '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '4', '5', '2', ' ', '-', '.', '/', 'a'));
  RC_ASSERT(!looks_like_pan(mask_pans(text)));
  RC_ASSERT(find_pans(text).empty() != looks_like_pan(text));
}

RC_GTEST_PROP(PanScanProperty, LeavesUuidsAndTimesAlone, ()) {
  const auto random =
      *rc::gen::container<std::array<std::uint8_t, 10>>(rc::gen::arbitrary<std::uint8_t>());
  const auto unix_us =
      *rc::gen::inRange<std::int64_t>(1'000'000'000'000'000, 2'190'000'000'000'000);
  const std::string uuid = uuid_text(
      uuid_v7(static_cast<std::uint64_t>(unix_us / 1000), std::as_bytes(std::span(random))));
  RC_ASSERT(!looks_like_pan(uuid));
  RC_ASSERT(!looks_like_pan("created " + uuid + " at " + rfc3339(unix_us)));
  RC_ASSERT(!looks_like_pan(std::to_string(unix_us)));
  RC_ASSERT(!looks_like_pan("req_" + uuid + "-x"));
}

// `count` texts that `next` makes, with `between` between them.
template <class Next>
std::string list_of(Next next, int count, const std::string& between) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i > 0 ? between : "") + next();
  return text;
}

RC_GTEST_PROP(PanScanProperty, LeavesListsOfUsualTextsAlone, ()) {
  const std::string between = *rc::gen::element<std::string>(", ", "; ", " | ", "/");
  const auto below = [](int limit) { return *rc::gen::inRange(0, limit); };
  const auto time = [&] {
    return fmt::format("{}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}", 2000 + below(100), 1 + below(12),
                       1 + below(31), below(24), below(60), below(60), below(1'000'000));
  };
  const auto date = [&] {
    return fmt::format("{:02}.{:02}.{}", 1 + below(31), 1 + below(12), 1900 + below(200));
  };
  const auto address = [&] {
    return fmt::format("{}.{}.{}.{}:{}", below(256), below(256), below(256), below(256),
                       below(65536));
  };
  const auto amount = [&] {
    return fmt::format("{},{:03},{:03}.{:02}", below(1000), below(1000), below(1000), below(100));
  };
  const auto version = [&] { return fmt::format("v{}.{}.{}", below(30), below(30), below(999)); };
  RC_ASSERT(!looks_like_pan(list_of(time, 3, between)));
  RC_ASSERT(!looks_like_pan(list_of(date, 4, between)));
  RC_ASSERT(!looks_like_pan(list_of(address, 5, between)));
  RC_ASSERT(!looks_like_pan(list_of(amount, 5, between)));
  RC_ASSERT(!looks_like_pan(list_of(version, 5, between)));
}

}  // namespace
}  // namespace strongroom

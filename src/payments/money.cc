// ISO 4217:2015 List One with its amendments up to January 2026, the fund codes included, grouped
// by the column "Minor unit". A currency that left the list is refused: nobody settles in it.
#include "payments/money.h"

#include <algorithm>
#include <array>

namespace strongroom::payments {
namespace {

struct Group {
  int exponent;
  std::string_view codes;  // sorted, each followed by a blank
};

constexpr std::size_t kStep = 4;  // three letters and the blank

constexpr std::array kGroups{
    Group{2,
          "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP "
          "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB "
          "EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
          "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
          "MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
          "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
          "TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "},
    Group{0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "},
    Group{3, "BHD IQD JOD KWD LYD OMR TND "},
    Group{4, "CLF UYW "},
};

constexpr bool sorted(std::string_view codes) {
  for (std::size_t i = kStep; i < codes.size(); i += kStep) {
    if (codes.substr(i - kStep, 3) >= codes.substr(i, 3)) return false;
  }
  return codes.size() % kStep == 0;
}
static_assert(std::ranges::all_of(kGroups, [](const Group& group) { return sorted(group.codes); }));

}  // namespace

Result<Currency> Currency::parse(std::string_view code) noexcept {
  if (code.size() == 3 && code.find(' ') == std::string_view::npos) {
    for (const Group& group : kGroups) {
      // A hit at another place than a code's start would straddle a blank.
      if (group.codes.find(code) != std::string_view::npos) return Currency(code, group.exponent);
    }
  }
  return fail({ErrorCode::invalid_argument, "must be an ISO 4217 currency in capital letters"});
}

}  // namespace strongroom::payments

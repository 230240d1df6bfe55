// Tables. Cards that dispute succeed here: disputes come later, by webhook, which this simulator
// has none of.
#include "simulators/stripe/test_cards.h"

#include <algorithm>
#include <array>

namespace strongroom::simulators::stripe {
namespace {

// The sandbox declines these when they are attached to a customer, too.
constexpr CardBehavior declines(std::string_view code) {
  return {.decline = code, .attaches = false};
}

constexpr std::array kCards{
    TestCard{.number = "4242424242424242"},
    TestCard{.number = "4000056655665556", .funding = "debit"},
    TestCard{.number = "5555555555554444"},
    TestCard{.number = "5200828282828210", .funding = "debit"},
    TestCard{.number = "5105105105105100", .funding = "prepaid"},
    TestCard{.number = "4000000000000002", .behavior = declines("generic_decline")},
    TestCard{.number = "4000000000009995", .behavior = declines("insufficient_funds")},
    TestCard{.number = "4000000000009987", .behavior = declines("lost_card")},
    TestCard{.number = "4000000000009979", .behavior = declines("stolen_card")},
    TestCard{.number = "4000000000000069", .behavior = declines("expired_card")},
    TestCard{.number = "4000000000000127", .behavior = declines("incorrect_cvc")},
    TestCard{.number = "4000000000000119", .behavior = declines("processing_error")},
    TestCard{.number = "4000000000006975", .behavior = declines("card_velocity_exceeded")},
    // Attaches, and then declines each charge.
    TestCard{.number = "4000000000000341", .behavior = {.decline = "generic_decline"}},
    TestCard{.number = "4000000000000101", .behavior = {.cvc_fails = true}},
    TestCard{.number = "4000000000000036", .behavior = {.postal_code_fails = true}},
    TestCard{.number = "4100000000000019", .behavior = {.decline = "fraudulent", .blocked = true}},
    TestCard{.number = "4000000000004954", .behavior = {.highest_risk = true}},
    TestCard{.number = "4000002500003155", .behavior = {.authentication = Authentication::always}},
    TestCard{.number = "4000002760003184", .behavior = {.authentication = Authentication::always}},
    TestCard{.number = "4000000000003220", .behavior = {.authentication = Authentication::always}},
    TestCard{.number = "4000008400001629", .behavior = {.authentication = Authentication::always}},
    TestCard{.number = "4000003800000446",
             .behavior = {.authentication = Authentication::on_session}},
    TestCard{.number = "4000000000007726", .behavior = {.refund = RefundCourse::pends}},
    TestCard{.number = "4000000000005126", .behavior = {.refund = RefundCourse::fails}},
};

constexpr std::array kRanges{
    TestRange{.bin = "400000", .brand = "visa", .digits = 16},
    TestRange{.bin = "400005", .brand = "visa", .digits = 16},
    TestRange{.bin = "401288", .brand = "visa", .digits = 16},
    TestRange{.bin = "410000", .brand = "visa", .digits = 16},
    TestRange{.bin = "411111", .brand = "visa", .digits = 16},
    TestRange{.bin = "424242", .brand = "visa", .digits = 16},
    TestRange{.bin = "222300", .brand = "mastercard", .digits = 16},
    TestRange{.bin = "510510", .brand = "mastercard", .digits = 16},
    TestRange{.bin = "520082", .brand = "mastercard", .digits = 16},
    TestRange{.bin = "555555", .brand = "mastercard", .digits = 16},
    TestRange{.bin = "371449", .brand = "amex", .digits = 15},
    TestRange{.bin = "378282", .brand = "amex", .digits = 15},
    TestRange{.bin = "601100", .brand = "discover", .digits = 16},
    TestRange{.bin = "601111", .brand = "discover", .digits = 16},
    TestRange{.bin = "601198", .brand = "discover", .digits = 16},
    TestRange{.bin = "305693", .brand = "diners", .digits = 16},
    TestRange{.bin = "305693", .brand = "diners", .digits = 14},
    TestRange{.bin = "362272", .brand = "diners", .digits = 14},
    TestRange{.bin = "353011", .brand = "jcb", .digits = 16},
    TestRange{.bin = "356600", .brand = "jcb", .digits = 16},
    TestRange{.bin = "620000", .brand = "unionpay", .digits = 16},
};

struct TestId {
  std::string_view id;
  std::string_view number;
};
constexpr std::array kIds{
    TestId{"pm_card_visa", "4242424242424242"},
    TestId{"pm_card_mastercard", "5555555555554444"},
    TestId{"pm_card_amex", "378282246310005"},
    TestId{"pm_card_visa_chargeDeclined", "4000000000000002"},
    TestId{"pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995"},
    TestId{"pm_card_visa_chargeDeclinedLostCard", "4000000000009987"},
    TestId{"pm_card_visa_chargeDeclinedStolenCard", "4000000000009979"},
    TestId{"pm_card_chargeCustomerFail", "4000000000000341"},
    TestId{"pm_card_threeDSecure2Required", "4000000000003220"},
};

}  // namespace

const TestCard* find_test_card(std::string_view number) noexcept {
  const auto found = std::ranges::find(kCards, number, &TestCard::number);
  return found == kCards.end() ? nullptr : &*found;
}

const TestRange* find_test_range(std::string_view number) noexcept {
  const auto found = std::ranges::find_if(kRanges, [&](const TestRange& range) {
    return number.starts_with(range.bin) && number.size() == range.digits;
  });
  return found == kRanges.end() ? nullptr : &*found;
}

std::string_view number_of_test_id(std::string_view id) noexcept {
  const auto found = std::ranges::find(kIds, id, &TestId::id);
  return found == kIds.end() ? std::string_view{} : found->number;
}

}  // namespace strongroom::simulators::stripe

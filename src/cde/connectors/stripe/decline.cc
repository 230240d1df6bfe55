// The table of Stripe's decline and error codes.
#include "cde/connectors/stripe/decline.h"

#include <algorithm>
#include <array>
#include <string>

namespace strongroom::cde::stripe {
namespace {

using enum payments::DeclineClass;

struct Row {
  std::string_view code;
  payments::DeclineClass decline_class;
};

// By code, for the binary search.
constexpr auto kRows = std::to_array<Row>({
    {"approve_with_id", soft},
    {"authentication_required", authentication_needed},
    {"balance_insufficient", soft},
    {"call_issuer", soft},
    {"card_decline_rate_limit_exceeded", soft},
    {"card_declined", soft},
    {"card_not_supported", hard},
    {"card_velocity_exceeded", soft},
    {"currency_not_supported", hard},
    {"do_not_honor", soft},
    {"do_not_try_again", hard},
    {"duplicate_transaction", duplicate},
    {"expired_card", hard},
    {"expired_or_canceled_card", hard},
    {"fraudulent", hard},
    {"generic_decline", soft},
    {"incorrect_address", verification_mismatch},
    {"incorrect_cvc", verification_mismatch},
    {"incorrect_number", invalid_card},
    {"incorrect_pin", authentication_needed},
    {"incorrect_zip", verification_mismatch},
    {"insufficient_funds", soft},
    {"invalid_account", hard},
    {"invalid_amount", hard},
    {"invalid_cvc", verification_mismatch},
    {"invalid_expiry_month", invalid_card},
    {"invalid_expiry_year", invalid_card},
    {"invalid_number", invalid_card},
    {"invalid_pin", authentication_needed},
    {"issuer_not_available", soft},
    {"lost_card", hard},
    {"lost_or_stolen_card", hard},
    {"merchant_blacklist", hard},
    {"new_account_information_available", hard},
    {"no_action_taken", soft},
    {"not_permitted", hard},
    {"offline_pin_required", authentication_needed},
    {"online_or_offline_pin_required", authentication_needed},
    {"payment_intent_authentication_failure", authentication_needed},
    {"pickup_card", hard},
    {"pin_try_exceeded", authentication_needed},
    {"processing_error", soft},
    {"reenter_transaction", soft},
    {"restricted_card", hard},
    {"revocation_of_all_authorizations", hard},
    {"revocation_of_authorization", hard},
    {"security_violation", hard},
    {"service_not_allowed", hard},
    {"stolen_card", hard},
    {"stop_payment_order", hard},
    {"testmode_decline", hard},
    {"transaction_not_allowed", hard},
    {"try_again_later", soft},
    {"withdrawal_count_limit_exceeded", soft},
});
static_assert(std::ranges::is_sorted(kRows, {}, &Row::code));

}  // namespace

payments::Decline decline_as(payments::DeclineClass decline_class, std::string_view code) {
  return {decline_class, std::string(payments::is_decline_code(code) ? code : "unknown")};
}

payments::Decline decline_of(std::string_view decline_code, std::string_view code) {
  const std::string_view word = decline_code.empty() ? code : decline_code;
  const auto* row = std::ranges::lower_bound(kRows, word, {}, &Row::code);
  const bool known = row != kRows.end() && row->code == word;
  return decline_as(known ? row->decline_class : soft, word);
}

}  // namespace strongroom::cde::stripe

// Cards as the sandbox knows them: what becomes of a number is decided when it comes in, and the
// number itself is not kept: last four, BIN, the behavior of a test card and a salted fingerprint.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "simulators/stripe/api_error.h"
#include "simulators/stripe/form.h"

namespace strongroom::simulators::stripe {

enum class Authentication : std::uint8_t {
  never,
  on_session,  // set up already: only a customer who is there is asked
  always,
};

enum class RefundCourse : std::uint8_t {
  succeeds,
  pends,  // pending, then succeeded
  fails,  // succeeded, then failed
};

// CardBehavior is what a test card does.
struct CardBehavior {
  std::string_view decline{};  // decline code of each charge; empty: approved
  bool attaches = true;        // a card that declines is declined when it is attached, too
  Authentication authentication = Authentication::never;
  bool blocked = false;       // by Radar: the issuer is never asked
  bool highest_risk = false;  // approved all the same
  bool cvc_fails = false;
  bool postal_code_fails = false;
  RefundCourse refund = RefundCourse::succeeds;
};

struct Card {
  std::string_view brand;
  std::string_view funding;
  std::string bin;  // first six
  std::string last4;
  std::string fingerprint;  // the same number gives the same text while the process lives
  int exp_month = 0;
  int exp_year = 0;
  bool cvc_given = false;
  const CardBehavior* behavior = nullptr;  // of static lifetime, never null
};

// Fingerprints need a salt of the process's own: a hash of a card number alone can be tried out.
struct CardReader {
  const SecretBytes& salt;
  std::int64_t now_s;
};

// The card in `card[...]`. 402 card_error: incorrect_number (check digit), invalid_number,
// invalid_expiry_month, invalid_expiry_year, invalid_cvc, or card_declined for a number that is of
// no test range. 400 parameter_missing.
[[nodiscard]] std::expected<Card, ApiError> read_card(const Form& form, const CardReader& reader);

// The card behind one of the documented ids ("pm_card_visa"), which stand for a new PaymentMethod
// each time; an empty expected's error is 404.
[[nodiscard]] std::expected<Card, ApiError> card_of_test_id(std::string_view id,
                                                            const CardReader& reader);

}  // namespace strongroom::simulators::stripe

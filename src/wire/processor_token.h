// The messages of POST /v1/cards/{token}/processor-tokens (api/vault.yaml): gatewayd asks vaultd
// for the processor token of a card at one account. Neither carries card data.
#pragma once

#include <string>
#include <string_view>

#include "wire/parsed.h"
#include "wire/sealed_head.h"

namespace strongroom::wire {

inline constexpr std::size_t kPaymentIdBytesMax = 64;

struct ProcessorTokenRequest {
  std::string account;  // sealed blob of kind account, as text
  std::string payment;  // "pay_...": one payment counts one use of the token
  SealedHead head;      // of `account`
  // The processor token of an earlier answer, which the processor does not know; empty: none.
  std::string stale{};
};
// Problems: those of parse_strict and ObjectReader; invalid_value for an account, or
// a stale processor token, that is no blob of its kind.
[[nodiscard]] Parsed<ProcessorTokenRequest> parse_processor_token_request(std::string_view body);
[[nodiscard]] std::string processor_token_request_json(std::string_view account,
                                                       std::string_view payment,
                                                       std::string_view stale = {});

struct ProcessorTokenAnswer {
  std::string processor_token;  // sealed blob of kind processor_token, as text
  bool created = false;         // the card was put at the processor for this answer
};
[[nodiscard]] Parsed<ProcessorTokenAnswer> parse_processor_token_answer(std::string_view body);
[[nodiscard]] std::string to_json(const ProcessorTokenAnswer& answer);

}  // namespace strongroom::wire

// The messages between gatewayd and connectord (api/connector.yaml, the pay role), both ways.
// Nothing here carries a card: a processor token is sealed by connectord for itself. Parsers are
// strict: unknown fields, other types and sizes beyond the bounds are problems.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "payments/decline.h"
#include "payments/money.h"
#include "payments/operation.h"
#include "payments/payment.h"
#include "wire/parsed.h"
#include "wire/sealed_head.h"

namespace strongroom::payments {

inline constexpr std::size_t kReferenceBytesMax = 64;            // ours: [A-Za-z0-9_-]
inline constexpr std::size_t kProcessorReferenceBytesMax = 128;  // theirs: [A-Za-z0-9_-]
inline constexpr std::size_t kLookUpRefundsMax = 100;

[[nodiscard]] bool is_reference(std::string_view text) noexcept;
[[nodiscard]] bool is_processor_reference(std::string_view text) noexcept;

// Who began the payment (stored-credential rules of the card schemes).
enum class Initiator : std::uint8_t { customer, merchant };
[[nodiscard]] std::string_view name(Initiator initiator) noexcept;

using wire::Parsed;

// Body of POST /v1/authorizations and POST /v1/sales.
struct AuthorizationRequest {
  std::string account;          // sealed
  std::string processor_token;  // sealed
  Money money;                  // minor > 0
  std::string reference;        // the attempt's id; a look-up finds the payment by it
  std::string idempotency_key;
  Initiator initiator = Initiator::customer;
  bool settle = false;  // a repeat, to learn an answer that was lost
};
[[nodiscard]] Parsed<AuthorizationRequest> parse_authorization_request(std::string_view body);
[[nodiscard]] std::string to_json(const AuthorizationRequest& request);

// Body of POST /v1/transactions/{processor_reference}/capture|void|refunds.
struct TransactionRequest {
  std::string account;                 // sealed
  std::optional<std::int64_t> amount;  // minor units; none: all that is left. Never with a void
  Currency currency;
  std::string reference;  // the attempt's id; a refund is found by it
  std::string idempotency_key;
  bool settle = false;
};
// `operation` is capture, void_ or refund.
[[nodiscard]] Parsed<TransactionRequest> parse_transaction_request(Operation operation,
                                                                   std::string_view body);
[[nodiscard]] std::string to_json(const TransactionRequest& request);

// Answer to all of them.
struct PayAnswer {
  OperationOutcome outcome = OperationOutcome::unknown;
  std::string processor_reference;  // empty: none was given
  std::optional<Decline> decline;   // with declined always, with failed if the processor said why
  bool operator==(const PayAnswer&) const = default;
};
[[nodiscard]] Parsed<PayAnswer> parse_pay_answer(std::string_view body);

// The answer to a charge whose processor token stands for nothing at the processor: nothing
// happened, and nothing will before the card is put there again.
[[nodiscard]] PayAnswer processor_token_unknown();
[[nodiscard]] bool is_processor_token_unknown(const PayAnswer& answer) noexcept;
[[nodiscard]] std::string to_json(const PayAnswer& answer);

// GET /v1/transactions: `reference` is the id of the attempt that began the payment.
struct LookUpRequest {
  std::string account;  // sealed
  std::string reference;
  std::string processor_reference;  // empty: not known, to be searched for
};
// "/v1/transactions?reference=...&account=...&processor_reference=..."
[[nodiscard]] std::string target_of(const LookUpRequest& request);

// Answer to a look-up. outcome `unknown`: it could not be found out now, the rest says nothing.
// Else it is how the charge came out, and `status` what the processor shows: `approved` of one that
// is authorized, captured or voided now, `declined` with its decline, `failed` of one that failed
// or is absent (null in JSON): the processor knows no such payment.
struct LookUpAnswer {
  struct Refund {
    std::string reference;            // of the refund's attempt; empty: not made through us
    std::string processor_reference;  // re_...
    std::int64_t amount = 0;
    OperationOutcome outcome = OperationOutcome::unknown;
    bool operator==(const Refund&) const = default;
  };
  OperationOutcome outcome = OperationOutcome::unknown;
  std::string processor_reference{};
  ProcessorView::Status status = ProcessorView::Status::absent;
  std::int64_t amount = 0;
  std::int64_t amount_captured = 0;
  std::int64_t amount_refunded = 0;
  std::vector<Refund> refunds{};
  std::optional<Decline> decline{};
  bool operator==(const LookUpAnswer&) const = default;
};
[[nodiscard]] Parsed<LookUpAnswer> parse_look_up_answer(std::string_view body);
[[nodiscard]] std::string to_json(const LookUpAnswer& answer);

}  // namespace strongroom::payments

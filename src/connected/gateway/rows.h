// Rows of the core database as records: for the stores only.
#pragma once

#include <string_view>

#include "base/result.h"
#include "connected/gateway/records.h"
#include "storage/database.h"

namespace strongroom::connected::gateway {

[[nodiscard]] std::string_view name(AttemptState state) noexcept;  // "pending"

// The columns that read_payment and read_attempt expect, in their order.
inline constexpr char kPaymentColumns[] =
    "id, merchant_id, currency, amount, amount_captured, amount_refunded, stage, open_attempt, "
    "open_operation, open_amount, open_lost, token, initiator, connector, account_id, reference, "
    "metadata, first_attempt, processor_reference, decline_class, decline_code, version, "
    "created_at, updated_at";
inline constexpr char kAttemptColumns[] =
    "id, merchant_id, idempotency_key, fingerprint, payment_id, operation, amount, state, owner, "
    "ticket, processor_token, tries, next_at, created_at, updated_at, stage_after, captured_after, "
    "refunded_after, decline_class, decline_code, processor_reference";

// The values of those columns, as parameters.
[[nodiscard]] storage::Row to_row(const PaymentRow& payment);
[[nodiscard]] storage::Row to_row(const AttemptRow& attempt);

// corrupt: not what to_row writes, or a payment that is not sound.
[[nodiscard]] Result<PaymentRow> read_payment(const storage::Row& row);
[[nodiscard]] Result<AttemptRow> read_attempt(const storage::Row& row);

}  // namespace strongroom::connected::gateway

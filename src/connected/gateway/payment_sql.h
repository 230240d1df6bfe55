// The statements of PaymentStore: literals, the keys under which they stay prepared. For
// payment_store.cc only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "connected/gateway/rows.h"

namespace strongroom::connected::gateway {

// Literals joined at compile time, with a closing NUL that the view leaves out.
template <std::size_t... N>
consteval auto join(const char (&... parts)[N]) {
  std::array<char, (... + (N - 1)) + 1> joined{};
  char* end = joined.data();
  ((end = std::copy_n(parts, N - 1, end)), ...);
  return joined;
}
template <std::size_t N>
constexpr std::string_view view(const std::array<char, N>& text) {
  return {text.data(), N - 1};
}

inline constexpr auto kInsertAttemptText = join(
    "INSERT INTO attempts (", kAttemptColumns,
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19, $20, $21) ON CONFLICT DO NOTHING RETURNING id");
inline constexpr std::string_view kInsertAttempt = view(kInsertAttemptText);

// Only beside its first attempt.
inline constexpr auto kInsertPaymentText = join(
    "INSERT INTO payments (", kPaymentColumns,
    ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19, $20, $21, $22, $23, $24 WHERE EXISTS (SELECT 1 FROM attempts WHERE id = $18) "
    "RETURNING id");
inline constexpr std::string_view kInsertPayment = view(kInsertPaymentText);

inline constexpr std::string_view kOpenPayment =
    "UPDATE payments SET open_attempt = $3, open_operation = $4, open_amount = $5, open_lost = 0, "
    "decline_class = '', decline_code = '', version = version + 1, updated_at = $6 "
    "WHERE id = $1 AND version = $2 AND open_attempt = '' RETURNING id";
// Only when the payment was opened for it.
inline constexpr auto kInsertAttemptOfOpenText = join(
    "INSERT INTO attempts (", kAttemptColumns,
    ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19, $20, $21 WHERE EXISTS (SELECT 1 FROM payments WHERE id = $5 AND open_attempt = $1) "
    "RETURNING id");
inline constexpr std::string_view kInsertAttemptOfOpen = view(kInsertAttemptOfOpenText);

inline constexpr std::string_view kConcludeAttempt =
    "UPDATE attempts SET state = $2, stage_after = $3, captured_after = $4, refunded_after = $5, "
    "decline_class = $6, decline_code = $7, processor_reference = $8, updated_at = $9, "
    "ticket = '', processor_token = '', next_at = 0 WHERE id = $1 AND next_at > 0 RETURNING id";
inline constexpr std::string_view kConcludePayment =
    "UPDATE payments SET amount_captured = $3, amount_refunded = $4, stage = $5, "
    "open_attempt = '', open_operation = '', open_amount = 0, open_lost = 0, "
    "processor_reference = $6, decline_class = $7, decline_code = $8, updated_at = $9 "
    "WHERE id = $1 AND open_attempt = $2 RETURNING id";

inline constexpr std::string_view kLoseAttempt =
    "UPDATE attempts SET state = 'unknown', tries = $2, next_at = $3, updated_at = $4 "
    "WHERE id = $1 AND next_at > 0 RETURNING id";
inline constexpr std::string_view kLosePayment =
    "UPDATE payments SET open_lost = 1, processor_reference = $3, updated_at = $4 "
    "WHERE id = $1 AND open_attempt = $2 RETURNING id";

inline constexpr std::string_view kDropAttempt =
    "DELETE FROM attempts WHERE id = $1 AND state = 'pending' RETURNING id";
inline constexpr std::string_view kDropPayment =
    "DELETE FROM payments WHERE id = $1 AND open_attempt = $2 "
    "AND NOT EXISTS (SELECT 1 FROM attempts WHERE id = $2) RETURNING id";
inline constexpr std::string_view kClosePayment =
    "UPDATE payments SET open_attempt = '', open_operation = '', open_amount = 0, open_lost = 0 "
    "WHERE id = $1 AND open_attempt = $2 "
    "AND NOT EXISTS (SELECT 1 FROM attempts WHERE id = $2) RETURNING id";

inline constexpr auto kSelectPaymentText =
    join("SELECT ", kPaymentColumns, " FROM payments WHERE merchant_id = $1 AND id = $2");
inline constexpr std::string_view kSelectPayment = view(kSelectPaymentText);
inline constexpr auto kSelectNewestText =
    join("SELECT ", kPaymentColumns,
         " FROM payments WHERE merchant_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
inline constexpr std::string_view kSelectNewest = view(kSelectNewestText);
inline constexpr auto kSelectOlderText =
    join("SELECT ", kPaymentColumns,
         " FROM payments WHERE merchant_id = $1 AND (created_at, id) < "
         "(SELECT created_at, id FROM payments WHERE merchant_id = $1 AND id = $2) "
         "ORDER BY created_at DESC, id DESC LIMIT $3");
inline constexpr std::string_view kSelectOlder = view(kSelectOlderText);
inline constexpr auto kSelectAttemptText =
    join("SELECT ", kAttemptColumns, " FROM attempts WHERE merchant_id = $1 AND id = $2");
inline constexpr std::string_view kSelectAttempt = view(kSelectAttemptText);
inline constexpr auto kSelectAttemptByKeyText = join(
    "SELECT ", kAttemptColumns, " FROM attempts WHERE merchant_id = $1 AND idempotency_key = $2");
inline constexpr std::string_view kSelectAttemptByKey = view(kSelectAttemptByKeyText);

inline constexpr auto kSelectDueText =
    join("SELECT ", kAttemptColumns,
         " FROM attempts WHERE next_at > 0 AND next_at <= $1 ORDER BY next_at LIMIT $2");
inline constexpr std::string_view kSelectDue = view(kSelectDueText);
inline constexpr std::string_view kClaim =
    "UPDATE attempts SET next_at = $3, owner = $4 WHERE id = $1 AND next_at = $2 RETURNING id";
inline constexpr std::string_view kSelectUnsettled =
    "SELECT CAST(count(*) AS bigint), CAST(coalesce(min(created_at), 0) AS bigint) "
    "FROM attempts WHERE next_at > 0 AND state = 'unknown'";

inline constexpr std::string_view kLosePendingPayments =
    "UPDATE payments SET open_lost = 1 WHERE open_attempt <> '' AND id IN "
    "(SELECT payment_id FROM attempts WHERE next_at > 0 AND state = 'pending' AND owner = $1) "
    "RETURNING id";
// Also those that it had claimed to settle them.
inline constexpr std::string_view kLoseOpenAttempts =
    "UPDATE attempts SET state = 'unknown', next_at = $2 WHERE next_at > 0 AND owner = $1 "
    "RETURNING id";

}  // namespace strongroom::connected::gateway

// The statements of PaymentStore: literals, the keys under which they stay prepared. For
// payment_store.cc only.
#pragma once

#include <array>
#include <string_view>

#include "connected/gateway/rows.h"
#include "storage/database.h"
#include "storage/sql_literal.h"

namespace strongroom::connected::gateway {

using storage::Column;
using storage::ColumnType;
using storage::join;
using storage::view;

// kPaymentColumns and kAttemptColumns, for given rows.
inline constexpr auto kPaymentGiven = std::to_array<Column>({
    {"id", ColumnType::text},
    {"merchant_id", ColumnType::text},
    {"currency", ColumnType::text},
    {"amount", ColumnType::integer},
    {"amount_captured", ColumnType::integer},
    {"amount_refunded", ColumnType::integer},
    {"stage", ColumnType::text},
    {"open_attempt", ColumnType::text},
    {"open_operation", ColumnType::text},
    {"open_amount", ColumnType::integer},
    {"open_lost", ColumnType::integer},
    {"token", ColumnType::text},
    {"initiator", ColumnType::text},
    {"connector", ColumnType::text},
    {"account_id", ColumnType::text},
    {"reference", ColumnType::text},
    {"metadata", ColumnType::text},
    {"first_attempt", ColumnType::text},
    {"processor_reference", ColumnType::text},
    {"decline_class", ColumnType::text},
    {"decline_code", ColumnType::text},
    {"version", ColumnType::integer},
    {"created_at", ColumnType::integer},
    {"updated_at", ColumnType::integer},
});
inline constexpr auto kAttemptGiven = std::to_array<Column>({
    {"id", ColumnType::text},
    {"merchant_id", ColumnType::text},
    {"idempotency_key", ColumnType::text},
    {"fingerprint", ColumnType::bytes},
    {"payment_id", ColumnType::text},
    {"operation", ColumnType::text},
    {"amount", ColumnType::integer},
    {"state", ColumnType::text},
    {"owner", ColumnType::text},
    {"ticket", ColumnType::text},
    {"processor_token", ColumnType::text},
    {"tries", ColumnType::integer},
    {"next_at", ColumnType::integer},
    {"created_at", ColumnType::integer},
    {"updated_at", ColumnType::integer},
    {"stage_after", ColumnType::text},
    {"captured_after", ColumnType::integer},
    {"refunded_after", ColumnType::integer},
    {"decline_class", ColumnType::text},
    {"decline_code", ColumnType::text},
    {"processor_reference", ColumnType::text},
});

// A change is two statements; where its first one returns rows, these are the attempts for which it
// took effect, and the second does nothing for others.
struct ChangeSql {
  storage::ManySql first;
  storage::ManySql second;
};

inline constexpr auto kInsertAttempt =
    join("INSERT INTO attempts (", kAttemptColumns, ") SELECT ", kAttemptColumns,
         " FROM {given} WHERE true ON CONFLICT DO NOTHING RETURNING id");
// Only beside its first attempt.
inline constexpr auto kInsertPayment =
    join("INSERT INTO payments (", kPaymentColumns, ") SELECT ", kPaymentColumns,
         " FROM {given} WHERE EXISTS (SELECT 1 FROM attempts "
         "WHERE attempts.id = given.first_attempt) RETURNING first_attempt");
inline constexpr ChangeSql kBeginPayment{{view(kInsertAttempt), kAttemptGiven},
                                         {view(kInsertPayment), kPaymentGiven}};

inline constexpr auto kOpenGiven = std::to_array<Column>({
    {"payment", ColumnType::text},
    {"read_version", ColumnType::integer},
    {"attempt", ColumnType::text},
    {"opening", ColumnType::text},
    {"opening_amount", ColumnType::integer},
    {"opened_at", ColumnType::integer},
});
inline constexpr std::string_view kOpenPayment =
    "UPDATE payments SET open_attempt = given.attempt, open_operation = given.opening, "
    "open_amount = given.opening_amount, open_lost = 0, decline_class = '', decline_code = '', "
    "version = version + 1, updated_at = given.opened_at FROM {given} "
    "WHERE id = given.payment AND version = given.read_version AND open_attempt = '' "
    "RETURNING open_attempt";
// Only when the payment was opened for it. A key that is in use refuses it, and with it the batch.
inline constexpr auto kInsertAttemptOfOpen =
    join("INSERT INTO attempts (", kAttemptColumns, ") SELECT ", kAttemptColumns,
         " FROM {given} WHERE EXISTS (SELECT 1 FROM payments "
         "WHERE payments.id = given.payment_id AND payments.open_attempt = given.id)");
inline constexpr ChangeSql kBeginOperation{{kOpenPayment, kOpenGiven},
                                           {view(kInsertAttemptOfOpen), kAttemptGiven}};

inline constexpr auto kConcludeAttemptGiven = std::to_array<Column>({
    {"attempt", ColumnType::text},
    {"new_state", ColumnType::text},
    {"stage", ColumnType::text},
    {"captured", ColumnType::integer},
    {"refunded", ColumnType::integer},
    {"class", ColumnType::text},
    {"code", ColumnType::text},
    {"new_reference", ColumnType::text},
    {"at", ColumnType::integer},
});
inline constexpr std::string_view kConcludeAttempt =
    "UPDATE attempts SET state = given.new_state, stage_after = given.stage, "
    "captured_after = given.captured, refunded_after = given.refunded, "
    "decline_class = given.class, decline_code = given.code, "
    "processor_reference = given.new_reference, updated_at = given.at, "
    "ticket = '', processor_token = '', next_at = 0 FROM {given} "
    "WHERE id = given.attempt AND state IN ('pending', 'unknown') RETURNING id";
inline constexpr auto kConcludePaymentGiven = std::to_array<Column>({
    {"payment", ColumnType::text},
    {"attempt", ColumnType::text},
    {"captured", ColumnType::integer},
    {"refunded", ColumnType::integer},
    {"new_stage", ColumnType::text},
    {"new_reference", ColumnType::text},
    {"class", ColumnType::text},
    {"code", ColumnType::text},
    {"at", ColumnType::integer},
});
inline constexpr std::string_view kConcludePayment =
    "UPDATE payments SET amount_captured = given.captured, amount_refunded = given.refunded, "
    "stage = given.new_stage, open_attempt = '', open_operation = '', open_amount = 0, "
    "open_lost = 0, processor_reference = given.new_reference, decline_class = given.class, "
    "decline_code = given.code, updated_at = given.at FROM {given} "
    "WHERE id = given.payment AND open_attempt = given.attempt";
inline constexpr ChangeSql kConclude{{kConcludeAttempt, kConcludeAttemptGiven},
                                     {kConcludePayment, kConcludePaymentGiven}};

inline constexpr auto kLoseAttemptGiven = std::to_array<Column>({
    {"attempt", ColumnType::text},
    {"new_tries", ColumnType::integer},
    {"settle_at", ColumnType::integer},
    {"at", ColumnType::integer},
});
inline constexpr std::string_view kLoseAttempt =
    "UPDATE attempts SET state = 'unknown', tries = given.new_tries, next_at = given.settle_at, "
    "updated_at = given.at FROM {given} WHERE id = given.attempt AND state IN ('pending', "
    "'unknown') RETURNING id";
inline constexpr auto kLosePaymentGiven = std::to_array<Column>({
    {"payment", ColumnType::text},
    {"attempt", ColumnType::text},
    {"new_reference", ColumnType::text},
    {"at", ColumnType::integer},
});
inline constexpr std::string_view kLosePayment =
    "UPDATE payments SET open_lost = 1, processor_reference = given.new_reference, "
    "updated_at = given.at FROM {given} WHERE id = given.payment AND open_attempt = given.attempt";
inline constexpr ChangeSql kLose{{kLoseAttempt, kLoseAttemptGiven},
                                 {kLosePayment, kLosePaymentGiven}};

inline constexpr auto kDropGiven =
    std::to_array<Column>({{"payment", ColumnType::text}, {"attempt", ColumnType::text}});
inline constexpr std::string_view kDropAttempt =
    "DELETE FROM attempts WHERE state = 'pending' AND id IN (SELECT attempt FROM {given}) "
    "RETURNING id";
// The one whose open attempt is gone.
inline constexpr std::string_view kDropPayment =
    "DELETE FROM payments WHERE id IN (SELECT payment FROM {given}) AND open_attempt <> '' "
    "AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.id = payments.open_attempt)";
inline constexpr std::string_view kClosePayment =
    "UPDATE payments SET open_attempt = '', open_operation = '', open_amount = 0, open_lost = 0 "
    "FROM {given} WHERE id = given.payment AND open_attempt = given.attempt "
    "AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.id = given.attempt)";
inline constexpr ChangeSql kAbandonPayment{{kDropAttempt, kDropGiven}, {kDropPayment, kDropGiven}};
inline constexpr ChangeSql kAbandonOperation{{kDropAttempt, kDropGiven},
                                             {kClosePayment, kDropGiven}};

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
inline constexpr auto kKeyGiven =
    std::to_array<Column>({{"of_merchant", ColumnType::text}, {"with_key", ColumnType::text}});
inline constexpr auto kSelectAttemptsByKeyText =
    join("SELECT ", kAttemptColumns,
         " FROM attempts JOIN {given} ON merchant_id = given.of_merchant "
         "AND idempotency_key = given.with_key");
inline constexpr storage::ManySql kSelectAttemptsByKey{view(kSelectAttemptsByKeyText), kKeyGiven};

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

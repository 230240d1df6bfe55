// The life of one request that moves money.
#include "connected/gateway/payment_service.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "connected/gateway/ids.h"
#include "payments/retry.h"

namespace strongroom::connected::gateway {
namespace {

using payments::Operation;
using payments::OperationOutcome;
using payments::PayAnswer;
using wire::Problem;
using wire::ProblemType;

constexpr unsigned kRetryAfterS = 1;
constexpr int kReadsMax = 3;  // of a payment that others change meanwhile
constexpr Problem kDatabaseAbsent{ProblemType::database_unavailable, "try again", {}, kRetryAfterS};
constexpr Problem kDiskFull{ProblemType::disk_unavailable, "try again", {}, kRetryAfterS};
constexpr Problem kOverloaded{ProblemType::overloaded, "try again", {}, kRetryAfterS};
constexpr Problem kNotStored{ProblemType::outcome_unknown,
                             "send the same request again, under the same key"};
constexpr Problem kRunning{
    ProblemType::idempotency_in_progress, "the first one is still under way", {}, kRetryAfterS};
constexpr Problem kNoAccount{ProblemType::invalid_value,
                             "the merchant has no account at this connector", "#/connector"};
constexpr Problem kNoSuchAccount{ProblemType::invalid_value,
                                 "the merchant has no such account: see GET /v1/connector-accounts",
                                 "#/connector_account"};
constexpr Problem kOtherConnector{ProblemType::invalid_value,
                                  "the account is at another connector than the one named",
                                  "#/connector_account"};
constexpr Problem kOtherBody{ProblemType::idempotency_mismatch,
                             "the same path was asked with another body: take a new key, or send"
                             " the first body again",
                             "Idempotency-Key"};
constexpr Problem kOtherPath{ProblemType::idempotency_mismatch,
                             "it was sent to another path: take a new key for each operation",
                             "Idempotency-Key"};

std::unexpected<Problem> refuse(Problem problem) { return std::unexpected(problem); }

Problem problem_of_database(const Error& error) {
  if (storage::is_disk_full(error)) return kDiskFull;
  switch (error.code()) {
    case ErrorCode::unavailable:
      return kDatabaseAbsent;
    case ErrorCode::exhausted:
      return kOverloaded;
    case ErrorCode::unknown_outcome:
      return kNotStored;
    default:
      log::error("core database refused", {{"error", error}});
      return {ProblemType::internal};
  }
}

Operation first_operation(const PaymentRequest& request) noexcept {
  return request.capture ? Operation::sale : Operation::authorize;
}

bool begins_payment(Operation operation) noexcept {
  return operation == Operation::authorize || operation == Operation::sale;
}

// What tells the request that used the key from this one.
Problem mismatch(const AttemptRow& known, std::string_view payment, Operation operation) noexcept {
  const bool both_begin = begins_payment(known.operation) && begins_payment(operation);
  const bool same_path = known.payment == payment && (known.operation == operation || both_begin);
  return same_path ? kOtherBody : kOtherPath;
}

// The payment that `attempt` begins.
PaymentRow first_row(const AttemptRow& attempt, const Account& account,
                     const PaymentRequest& request) {
  return {.id = attempt.payment,
          .merchant = attempt.merchant,
          .currency = request.currency,
          .payment = payments::start(attempt.operation, attempt.amount),
          .token = request.token,
          .initiator = request.initiator,
          .connector = account.connector,
          .account_id = account.id,
          .reference = request.reference,
          .metadata = request.metadata,
          .first_attempt = attempt.id,
          .processor_reference = {},
          .decline = {},
          .open_attempt = attempt.id,
          .created_at_us = attempt.created_at_us,
          .updated_at_us = attempt.created_at_us};
}

}  // namespace

AttemptState state_of(OperationOutcome outcome) noexcept {
  switch (outcome) {
    case OperationOutcome::approved:
      return AttemptState::approved;
    case OperationOutcome::declined:
      return AttemptState::declined;
    case OperationOutcome::failed:
      return AttemptState::failed;
    case OperationOutcome::unknown:
      return AttemptState::unknown;
  }
  std::unreachable();
}

void apply(Done& done, const PayAnswer& answer, std::int64_t now_us) {
  const bool first = done.payment.payment.stage == payments::Stage::none;
  done.payment.payment = conclude(done.payment.payment, answer.outcome);
  done.payment.open_attempt.clear();
  done.payment.decline = answer.decline;
  // A refund has a reference of its own at the processor.
  if (first && !answer.processor_reference.empty()) {
    done.payment.processor_reference = answer.processor_reference;
  }
  done.payment.updated_at_us = now_us;
  done.attempt.state = state_of(answer.outcome);
  done.attempt.after = done.payment.payment;
  done.attempt.decline = answer.decline;
  done.attempt.processor_reference = answer.processor_reference;
  done.attempt.next_at_us = 0;
  done.attempt.updated_at_us = now_us;
}

void apply_lost(Done& done, const PayAnswer& answer, std::int64_t now_us, std::int64_t delay_us) {
  done.payment.payment = conclude(done.payment.payment, OperationOutcome::unknown);
  if (done.payment.processor_reference.empty()) {
    done.payment.processor_reference = answer.processor_reference;
  }
  done.payment.updated_at_us = now_us;
  done.attempt.state = AttemptState::unknown;
  done.attempt.next_at_us = now_us + delay_us;
  done.attempt.updated_at_us = now_us;
}

async::Task<Answer<std::optional<Done>>> PaymentService::replay(Call call,
                                                                std::string payment_asked,
                                                                Operation operation) {
  const auto known = co_await parts_.store.attempt_by_key(call.merchant, call.idempotency_key);
  if (!known) co_return refuse(problem_of_database(known.error()));
  std::optional<payments::IdempotencyRecord> record;
  if (known->has_value()) {
    record.emplace((*known)->fingerprint, (*known)->state == AttemptState::pending);
  }
  switch (decide(record, call.fingerprint)) {
    case payments::IdempotencyDecision::first:
      co_return std::optional<Done>{};
    case payments::IdempotencyDecision::mismatch:
      co_return refuse(mismatch(**known, payment_asked, operation));
    case payments::IdempotencyDecision::in_progress:
      co_return refuse(kRunning);
    case payments::IdempotencyDecision::replay:
      break;
  }
  auto payment = co_await parts_.store.payment(call.merchant, (*known)->payment);
  if (!payment) co_return refuse(problem_of_database(payment.error()));
  if (!payment->has_value()) co_return refuse({ProblemType::internal});
  Done done{**std::move(payment), **known, true};
  if (!done.attempt.open()) {  // as it stood then
    const std::int64_t amount = done.payment.payment.amount;
    done.payment.payment = done.attempt.after;
    done.payment.payment.amount = amount;
    done.payment.open_attempt.clear();
    done.payment.decline = done.attempt.decline;
    done.payment.updated_at_us = done.attempt.updated_at_us;
  }
  co_return std::optional<Done>(std::move(done));
}

async::Task<Answer<Account>> PaymentService::choose_account(std::string merchant,
                                                            std::string connector,
                                                            std::string account) {
  const auto accounts = co_await parts_.accounts.of_merchant(std::move(merchant));
  if (!accounts) co_return refuse(problem_of_database(accounts.error()));
  for (const Account& one : *accounts) {
    const bool fits = connector.empty() || one.connector == connector;
    const bool wanted = account.empty() ? fits : one.id == account;
    if (!wanted || !parts_.connectors.has(one.connector)) continue;
    if (!fits) co_return refuse(kOtherConnector);
    co_return one;
  }
  co_return refuse(account.empty() ? kNoAccount : kNoSuchAccount);
}

AttemptRow PaymentService::new_attempt(const Call& call, const std::string& payment,
                                       Operation operation, std::int64_t amount) {
  const bool refund = operation == Operation::refund;
  AttemptRow attempt;
  attempt.id = new_attempt_id(refund ? kRefundPrefix : kAttemptPrefix, parts_.random, parts_.clock);
  attempt.merchant = call.merchant;
  attempt.idempotency_key = call.idempotency_key;
  attempt.fingerprint = call.fingerprint;
  attempt.payment = payment;
  attempt.operation = operation;
  attempt.amount = amount;
  attempt.owner = parts_.instance;
  attempt.ticket = call.origin.ticket;
  attempt.created_at_us = parts_.clock.now_us();
  attempt.updated_at_us = attempt.created_at_us;
  attempt.next_at_us = attempt.created_at_us + kPendingUs;
  return attempt;
}

// A commit whose answer was lost may have happened: the attempt itself tells.
async::Task<Answer<Begun>> PaymentService::begun(Result<Begun> result, const AttemptRow& attempt) {
  if (result) co_return *result;
  if (result.error().code() != ErrorCode::unknown_outcome) {
    co_return refuse(problem_of_database(result.error()));
  }
  const auto stored =
      co_await parts_.store.attempt_by_key(attempt.merchant, attempt.idempotency_key);
  if (!stored || !stored->has_value()) co_return refuse(kNotStored);
  co_return (*stored)->id == attempt.id ? Begun::begun : Begun::key_known;
}

async::Task<Answer<Done>> PaymentService::pay(Call call, PaymentRequest request) {
  const std::string id = payment_id(call.merchant, call.idempotency_key);
  auto known = co_await replay(call, id, first_operation(request));
  if (!known) co_return refuse(known.error());
  if (known->has_value()) co_return **std::move(known);
  const Answer<Account> account =
      co_await choose_account(call.merchant, request.connector, request.account);
  if (!account) co_return refuse(account.error());
  Resolve what{request.token, account->sealed, id};
  auto done = co_await pay_once(call, request, *account, what);
  if (done && !done->has_value()) done = co_await pay_once(call, request, *account, what);
  if (!done) co_return refuse(done.error());
  co_return **std::move(done);
}

async::Task<Answer<std::optional<Done>>> PaymentService::pay_once(const Call& call,
                                                                  const PaymentRequest& request,
                                                                  const Account& account,
                                                                  Resolve& what) {
  auto resolved = co_await parts_.vault.processor_token(call.origin, what);
  if (!resolved) co_return refuse(resolved.error());

  const Operation operation = first_operation(request);
  payments::AuthorizationRequest ask{.account = account.sealed,
                                     .processor_token = std::move(resolved->processor_token),
                                     .money = {request.amount, request.currency},
                                     .reference = {},
                                     .idempotency_key = {},
                                     .initiator = request.initiator};
  AttemptRow attempt = new_attempt(call, what.payment, operation, request.amount);
  ask.reference = ask.idempotency_key = attempt.id;
  attempt.processor_token = ask.processor_token;
  Done done{.payment = first_row(attempt, account, request), .attempt = {}};
  done.attempt = std::move(attempt);
  // A card that the processor would not take is a payment that it refused; nothing is to be asked.
  if (ask.processor_token.empty()) {
    apply(done, resolved->refusal, done.attempt.created_at_us);
    done.attempt.ticket.clear();
  }
  const Result<Begun> stored = co_await parts_.store.begin_payment(done.payment, done.attempt);
  const Answer<Begun> begin = co_await begun(stored, done.attempt);
  if (!begin) co_return refuse(begin.error());
  if (*begin != Begun::begun) {  // the same key, a moment earlier
    auto other = co_await replay(call, what.payment, operation);
    if (other && !other->has_value()) co_return refuse(kRunning);
    co_return other;
  }
  if (!done.attempt.open()) co_return done;
  auto answer =
      co_await parts_.connectors.authorize(call.origin, account.connector, operation, ask);
  const bool again = what.stale.empty() && answer && is_processor_token_unknown(*answer);
  if (again) {
    const Result<bool> taken_back = co_await parts_.store.abandon(done.attempt);
    what.stale = std::move(ask.processor_token);
    if (taken_back && *taken_back) co_return std::optional<Done>{};
  }
  Answer<Done> finished = co_await finish(std::move(done), std::move(answer));
  if (!finished) co_return refuse(finished.error());
  co_return *std::move(finished);
}

async::Task<Answer<Done>> PaymentService::change(Call call, std::string payment,
                                                 Operation operation,
                                                 std::optional<std::int64_t> amount) {
  for (int reads = 0; reads < kReadsMax; ++reads) {
    auto known = co_await replay(call, payment, operation);
    if (!known) co_return refuse(known.error());
    if (known->has_value()) co_return **std::move(known);
    Answer<PaymentRow> row = co_await this->payment(call.merchant, payment);
    if (!row) co_return refuse(row.error());
    const auto allowed = can_begin(row->payment, operation, amount);
    if (!allowed) co_return refuse(allowed.error());
    const auto account = co_await parts_.accounts.find(call.merchant, row->account_id);
    if (!account) co_return refuse(problem_of_database(account.error()));
    if (!account->has_value()) co_return refuse({ProblemType::internal});

    Done done{*std::move(row), new_attempt(call, payment, operation, *allowed)};
    const Result<Begun> stored = co_await parts_.store.begin_operation(done.payment, done.attempt);
    const Answer<Begun> begin = co_await begun(stored, done.attempt);
    if (!begin) co_return refuse(begin.error());
    if (*begin != Begun::begun) continue;  // the payment moved, or the key is used: look again
    done.payment.payment = payments::begin(done.payment.payment, operation, *allowed);
    done.payment.open_attempt = done.attempt.id;
    payments::TransactionRequest ask{.account = (*account)->sealed,
                                     .amount = {},
                                     .currency = done.payment.currency,
                                     .reference = done.attempt.id,
                                     .idempotency_key = done.attempt.id};
    if (operation != Operation::void_) ask.amount = *allowed;
    auto answer =
        co_await parts_.connectors.change(call.origin, done.payment.connector, operation,
                                          done.payment.processor_reference, std::move(ask));
    co_return co_await finish(std::move(done), std::move(answer));
  }
  co_return refuse(kOverloaded);
}

async::Task<Answer<Done>> PaymentService::finish(Done done, Answer<PayAnswer> answer) {
  const std::int64_t now_us = parts_.clock.now_us();
  if (!answer) {  // nothing reached the processor: as if it had not been asked for
    const Result<bool> taken_back = co_await parts_.store.abandon(done.attempt);
    if (taken_back && *taken_back) co_return refuse(answer.error());
    // It is stored and will be settled, so the merchant must not think that it never was.
    apply_lost(done, {}, now_us, 0);
    co_return done;
  }
  Done after = done;
  Result<bool> stored = true;
  if (answer->outcome == OperationOutcome::unknown) {
    apply_lost(after, *answer, now_us, payments::settle_delay_us(0, 0));
    stored = co_await parts_.store.lose(after.payment, after.attempt);
  } else {
    apply(after, *answer, now_us);
    stored = co_await parts_.store.conclude(after.payment, after.attempt);
  }
  if (stored && *stored) co_return after;
  // The outcome is known here and nowhere else: it is not told before it is stored. The settler
  // asks the processor again, which repeats its answer.
  if (!stored) log::error("an outcome could not be stored", {{"error", stored.error()}});
  apply_lost(done, *answer, now_us, 0);
  co_return done;
}

async::Task<Answer<PaymentRow>> PaymentService::payment(std::string merchant, std::string id) {
  auto row = co_await parts_.store.payment(std::move(merchant), std::move(id));
  if (!row) co_return refuse(problem_of_database(row.error()));
  if (!row->has_value()) co_return refuse(kNoSuchPayment);
  co_return **std::move(row);
}

async::Task<Answer<Done>> PaymentService::refund(std::string merchant, std::string payment,
                                                 std::string id) {
  Answer<PaymentRow> row = co_await this->payment(merchant, std::move(payment));
  if (!row) co_return refuse(row.error());
  auto attempt = co_await parts_.store.attempt(std::move(merchant), std::move(id));
  if (!attempt) co_return refuse(problem_of_database(attempt.error()));
  const bool found = attempt->has_value() && (*attempt)->payment == row->id;
  if (!found || (*attempt)->operation != Operation::refund) co_return refuse(kNoSuchRefund);
  co_return Done{*std::move(row), **std::move(attempt)};
}

}  // namespace strongroom::connected::gateway

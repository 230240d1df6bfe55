// Settling: repeat under the same key, or look up.
#include "connected/gateway/settler.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "payments/retry.h"

namespace strongroom::connected::gateway {
namespace {

using payments::LookUpAnswer;
using payments::Operation;
using payments::OperationOutcome;
using payments::PayAnswer;
using payments::ProcessorView;
using payments::SettleBy;

constexpr std::chrono::seconds kStep{1};
constexpr std::int64_t kAlarmEveryUs = 600'000'000;

bool is_first(Operation operation) {
  return operation == Operation::authorize || operation == Operation::sale;
}

ProcessorView view_of(const LookUpAnswer& answer, const AttemptRow& attempt) {
  ProcessorView view{.status = answer.status,
                     .amount = answer.amount,
                     .captured = answer.amount_captured,
                     .refunded = answer.amount_refunded};
  const auto refund =
      std::ranges::find(answer.refunds, attempt.id, &LookUpAnswer::Refund::reference);
  if (refund != answer.refunds.end()) view.refund = refund->outcome;
  return view;
}

std::string reference_of(const LookUpAnswer& answer, const AttemptRow& attempt) {
  const auto refund =
      std::ranges::find(answer.refunds, attempt.id, &LookUpAnswer::Refund::reference);
  return refund == answer.refunds.end() ? answer.processor_reference : refund->processor_reference;
}

}  // namespace

// Awaits the tasks of one round, however many are left.
struct Settler::Round {
  std::size_t left = 0;
  std::size_t settled = 0;
  std::coroutine_handle<> waiter{};

  bool await_ready() const noexcept { return left == 0; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}
};

async::Task<Result<std::size_t>> Settler::settle_due() {
  auto due = co_await parts_.store.due(parts_.clock.now_us());
  if (!due) co_return fail(due.error());
  // All at once: one processor that hangs must not hold up what another could tell.
  Round round{.left = due->size()};
  for (AttemptRow& attempt : *due) async::spawn(settle_in(round, std::move(attempt)));
  co_await round;
  co_return round.settled;
}

async::Task<void> Settler::settle_in(Round& round, AttemptRow attempt) {
  const Result<bool> done = co_await settle(std::move(attempt));
  if (!done) {
    log::warn("an outcome could not be settled", {{"error", done.error()}});
  } else if (*done) {
    ++round.settled;
    parts_.metrics.settled.add();
  }
  if (--round.left == 0 && round.waiter) round.waiter.resume();
}

async::Task<Result<bool>> Settler::settle(AttemptRow attempt) {
  const std::int64_t now_us = parts_.clock.now_us();
  // Claimed for as long as asking may take, so that no second instance asks meanwhile, and nothing
  // is lost if this one dies over it.
  SR_CO_TRY(const bool claimed,
            co_await parts_.store.claim(attempt, parts_.instance, now_us + kPendingUs));
  if (!claimed) co_return false;
  attempt.next_at_us = now_us + kPendingUs;
  SR_CO_TRY(auto payment, co_await parts_.store.payment(attempt.merchant, attempt.payment));
  if (!payment || payment->open_attempt != attempt.id) {
    co_return fail({ErrorCode::corrupt, "an open attempt without its payment"});
  }
  SR_CO_TRY(auto account, co_await parts_.accounts.find(attempt.merchant, payment->account_id));
  if (!account) co_return fail({ErrorCode::corrupt, "an open attempt without its account"});
  Done done{*std::move(payment), std::move(attempt)};
  switch (payments::settle_by(now_us - done.attempt.created_at_us, done.attempt.tries)) {
    case SettleBy::repeat:
      co_return co_await repeat(std::move(done), *std::move(account));
    case SettleBy::confirm:
      co_return co_await look_up(std::move(done), *std::move(account), false);
    case SettleBy::look_up:
      co_return co_await look_up(std::move(done), *std::move(account), true);
    case SettleBy::operator_:
      co_return co_await postpone(std::move(done));
  }
  std::unreachable();
}

async::Task<Result<bool>> Settler::repeat(Done done, Account account) {
  const AttemptRow& attempt = done.attempt;
  const PaymentRow& payment = done.payment;
  Origin origin{.ticket = attempt.ticket, .request_id = {}, .source = {}};
  Answer<PayAnswer> answer = PayAnswer{};
  if (is_first(attempt.operation)) {
    payments::AuthorizationRequest ask{.account = account.sealed,
                                       .processor_token = attempt.processor_token,
                                       .money = {attempt.amount, payment.currency},
                                       .reference = attempt.id,
                                       .idempotency_key = attempt.id,
                                       .initiator = payment.initiator,
                                       .settle = true};
    answer = co_await parts_.connectors.authorize(std::move(origin), payment.connector,
                                                  attempt.operation, std::move(ask));
  } else {
    payments::TransactionRequest ask{.account = account.sealed,
                                     .amount = {},
                                     .currency = payment.currency,
                                     .reference = attempt.id,
                                     .idempotency_key = attempt.id,
                                     .settle = true};
    if (attempt.operation != Operation::void_) ask.amount = attempt.amount;
    answer =
        co_await parts_.connectors.change(std::move(origin), payment.connector, attempt.operation,
                                          payment.processor_reference, std::move(ask));
  }
  if (!answer || answer->outcome == OperationOutcome::unknown) {
    co_return co_await postpone(std::move(done));
  }
  co_return co_await store(std::move(done), *std::move(answer));
}

async::Task<Result<bool>> Settler::look_up(Done done, Account account, bool absence_counts) {
  Origin origin{.ticket = done.attempt.ticket, .request_id = {}, .source = {}};
  payments::LookUpRequest ask{.account = account.sealed,
                              .reference = done.payment.first_attempt,
                              .processor_reference = done.payment.processor_reference};
  const Answer<LookUpAnswer> answer =
      co_await parts_.connectors.look_up(std::move(origin), done.payment.connector, std::move(ask));
  if (!answer || answer->outcome == OperationOutcome::unknown) {
    co_return co_await postpone(std::move(done));
  }
  const auto settled = payments::settle(done.payment.payment, view_of(*answer, done.attempt));
  if (!settled) {
    log::error("a processor contradicts itself",
               {{"attempt", done.attempt.id}, {"error", settled.error()}});
    co_return co_await postpone(std::move(done));
  }
  const bool happened = settled->outcome == OperationOutcome::approved ||
                        settled->outcome == OperationOutcome::declined;
  if (settled->outcome == OperationOutcome::unknown || (!happened && !absence_counts)) {
    co_return co_await postpone(std::move(done));
  }
  PayAnswer as_answer{.outcome = settled->outcome,
                      .processor_reference = reference_of(*answer, done.attempt),
                      .decline = {}};
  if (settled->outcome == OperationOutcome::declined) as_answer.decline = answer->decline;
  const std::int64_t now_us = parts_.clock.now_us();
  apply(done, as_answer, now_us);
  done.payment.payment = settled->payment;  // the processor's figures, not ours
  done.attempt.after = settled->payment;
  co_return co_await parts_.store.conclude(std::move(done.payment), std::move(done.attempt));
}

async::Task<Result<bool>> Settler::store(Done before, PayAnswer answer) {
  apply(before, answer, parts_.clock.now_us());
  co_return co_await parts_.store.conclude(std::move(before.payment), std::move(before.attempt));
}

async::Task<Result<bool>> Settler::postpone(Done done) {
  ++done.attempt.tries;
  apply_lost(done, {}, parts_.clock.now_us(), next_delay_us(done.attempt));
  const Result<bool> stored =
      co_await parts_.store.lose(std::move(done.payment), std::move(done.attempt));
  if (!stored) co_return fail(stored.error());
  co_return false;
}

std::int64_t Settler::next_delay_us(const AttemptRow& attempt) {
  std::array<std::byte, 1> random{};
  parts_.random.fill(random);
  return payments::settle_delay_us(attempt.tries, std::to_integer<int>(random[0]) / 256.0);
}

async::Task<void> Settler::watch() {
  const auto unsettled = co_await parts_.store.unsettled();
  if (!unsettled) co_return;
  const std::int64_t now_us = parts_.clock.now_us();
  const std::int64_t age_us = unsettled->count > 0 ? now_us - unsettled->oldest_us : 0;
  parts_.metrics.unknown.set(unsettled->count);
  parts_.metrics.oldest_age_seconds.set(age_us / 1'000'000);
  if (age_us < kAlarmAgeUs || now_us - alarmed_at_us_ < kAlarmEveryUs) co_return;
  alarmed_at_us_ = now_us;
  log::error("outcomes are unknown for long",
             {{"count", unsettled->count}, {"oldest_age_seconds", age_us / 1'000'000}});
}

async::Task<void> Settler::run() {
  while (!stopping_) {
    const auto settled = co_await settle_due();
    if (!settled) log::warn("nothing can be settled now", {{"error", settled.error()}});
    co_await watch();
    if (!stopping_) co_await parts_.loop.sleep_for(kStep);
  }
}

}  // namespace strongroom::connected::gateway

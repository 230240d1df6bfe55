// Random sequences of calls and faults against a processor that keeps its own books: whatever is
// lost, repeated or looked up, both books agree in the end, and no effect happens twice.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

#include "payments/payment.h"

namespace strongroom::payments {
namespace {

using enum OperationOutcome;

enum class Fault { none, lost_before, lost_after };

// A processor that is right: idempotent by key, and strict about its own money.
class Processor {
 public:
  OperationOutcome ask(int key, Operation operation, std::int64_t amount, OperationOutcome would) {
    if (const auto known = answers_.find(key); known != answers_.end()) return known->second;
    OperationOutcome outcome = would;
    if (outcome == approved) outcome = apply(key, operation, amount) ? approved : failed;
    if (first(operation) && outcome == declined) view_.status = ProcessorView::Status::declined;
    if (first(operation) && outcome != failed) view_.amount = amount;
    answers_.emplace(key, outcome);
    return outcome;
  }
  ProcessorView look_up(int key) const {
    ProcessorView view = view_;
    if (const auto refund = refunds_.find(key); refund != refunds_.end()) view.refund = approved;
    if (const auto known = answers_.find(key); known != answers_.end() && !view.refund) {
      view.refund = known->second;
    }
    return view;
  }
  const ProcessorView& books() const { return view_; }
  int effects(int key) const {
    const auto found = effects_.find(key);
    return found == effects_.end() ? 0 : found->second;
  }

 private:
  static bool first(Operation operation) {
    return operation == Operation::authorize || operation == Operation::sale;
  }
  bool apply(int key, Operation operation, std::int64_t amount) {
    using Status = ProcessorView::Status;
    switch (operation) {
      case Operation::authorize:
        if (view_.status != Status::absent) return false;
        view_.status = Status::authorized;
        break;
      case Operation::sale:
        if (view_.status != Status::absent) return false;
        view_.status = Status::captured;
        view_.captured = amount;
        break;
      case Operation::capture:
        if (view_.status != Status::authorized || amount > view_.amount) return false;
        view_.status = Status::captured;
        view_.captured = amount;
        break;
      case Operation::void_:
        if (view_.status != Status::authorized) return false;
        view_.status = Status::voided;
        break;
      case Operation::refund:
        if (view_.status != Status::captured) return false;
        if (amount > view_.captured - view_.refunded) return false;
        view_.refunded += amount;
        refunds_.emplace(key, amount);
        break;
    }
    ++effects_[key];
    return true;
  }

  ProcessorView view_;
  std::map<int, OperationOutcome> answers_;
  std::map<int, std::int64_t> refunds_;
  std::map<int, int> effects_;
};

// A gateway as the state machine allows it: one key per operation, repeats under the same key.
class Gateway {
 public:
  explicit Gateway(Operation operation, std::int64_t amount) : payment_(start(operation, amount)) {
    note(operation, amount);
  }

  bool try_begin(Operation operation, std::optional<std::int64_t> amount) {
    const auto allowed = can_begin(payment_, operation, amount);
    if (!allowed) return false;
    payment_ = begin(payment_, operation, *allowed);
    note(operation, *allowed);
    return true;
  }
  // Sends the open operation, for the first time or again.
  void send(Processor& processor, Fault fault, OperationOutcome would) {
    if (!payment_.open) return;
    OperationOutcome outcome = unknown;
    if (fault != Fault::lost_before) {
      outcome = processor.ask(key_, payment_.open->operation, payment_.open->amount, would);
      if (fault == Fault::lost_after) outcome = unknown;
    }
    conclude_with(outcome, conclude(payment_, outcome));
  }
  void look_up(const Processor& processor) {
    if (!payment_.open) return;
    const auto settled = settle(payment_, processor.look_up(key_));
    RC_ASSERT(settled.has_value());
    conclude_with(settled->outcome, settled->payment);
  }

  const Payment& payment() const { return payment_; }
  int keys() const { return key_; }
  std::int64_t captured() const { return captured_; }
  std::int64_t refunded() const { return refunded_; }

 private:
  void note(Operation operation, std::int64_t amount) {
    ++key_;
    operation_ = operation;
    amount_ = amount;
  }
  void conclude_with(OperationOutcome outcome, Payment payment) {
    payment_ = payment;
    if (outcome != approved) return;
    if (operation_ == Operation::sale || operation_ == Operation::capture) captured_ += amount_;
    if (operation_ == Operation::refund) refunded_ += amount_;
  }

  Payment payment_;
  int key_ = 0;
  Operation operation_{};
  std::int64_t amount_ = 0;
  std::int64_t captured_ = 0;  // sums of what was concluded as approved
  std::int64_t refunded_ = 0;
};

void expect_agreement(const Gateway& gateway, const Processor& processor) {
  const Payment& payment = gateway.payment();
  RC_ASSERT(is_sound(payment));
  RC_ASSERT(payment.captured == gateway.captured());
  RC_ASSERT(payment.refunded == gateway.refunded());
  RC_ASSERT(processor.books().captured <= payment.amount);
  RC_ASSERT(processor.books().refunded <= processor.books().captured);
  for (int key = 1; key <= gateway.keys(); ++key) RC_ASSERT(processor.effects(key) <= 1);
  if (payment.open) return;
  RC_ASSERT(payment.captured == processor.books().captured);
  RC_ASSERT(payment.refunded == processor.books().refunded);
}

RC_GTEST_PROP(PaymentProperty, BooksAgreeWhateverIsLost, ()) {
  const auto fault = rc::gen::element(Fault::none, Fault::lost_before, Fault::lost_after);
  const auto would =
      rc::gen::weightedElement<OperationOutcome>({{6, approved}, {1, declined}, {1, failed}});
  const auto amount = *rc::gen::inRange<std::int64_t>(1, 2000);
  Processor processor;
  Gateway gateway(*rc::gen::element(Operation::authorize, Operation::sale), amount);
  gateway.send(processor, *fault, *would);
  expect_agreement(gateway, processor);

  const int steps = *rc::gen::inRange(1, 30);
  for (int step = 0; step < steps; ++step) {
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        gateway.send(processor, *fault, *would);  // a repeat, when something is open
        break;
      case 1:
        gateway.look_up(processor);
        break;
      default: {
        const auto operation =
            *rc::gen::element(Operation::capture, Operation::void_, Operation::refund);
        const auto part = *rc::gen::maybe(rc::gen::inRange<std::int64_t>(-5, amount + 5));
        const auto asked = operation == Operation::void_ || !part
                               ? std::optional<std::int64_t>()
                               : std::optional<std::int64_t>(*part);
        if (gateway.try_begin(operation, asked)) gateway.send(processor, *fault, *would);
      }
    }
    expect_agreement(gateway, processor);
  }
  // Whatever was lost can be settled, by either way.
  if (*rc::gen::arbitrary<bool>()) {
    gateway.send(processor, Fault::none, *would);
  } else {
    gateway.look_up(processor);
  }
  RC_ASSERT(!gateway.payment().open);
  expect_agreement(gateway, processor);
}

}  // namespace
}  // namespace strongroom::payments

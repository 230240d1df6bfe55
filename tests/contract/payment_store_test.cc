// The gateway's stores on both databases: one statement text, the same meaning. What is shown:
// guards hold, a batch's members have their own fates, nothing is half stored.
#include "connected/gateway/payment_store.h"

#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/schema.h"
#include "contract/database_fixture.h"
#include "storage/migrations.h"

namespace strongroom::connected::gateway {
namespace {

using payments::Decline;
using payments::DeclineClass;
using payments::Operation;
using payments::OperationOutcome;

class PaymentStoreTest : public storage::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped()) return;
    const SystemClock clock;
    ASSERT_TRUE(run(storage::migrate(*database_, migrations(), clock)));
    store_.emplace(loop_, *database_);
  }
  void TearDown() override {
    store_.reset();
    DatabaseTest::TearDown();
  }

  static AttemptRow attempt(std::string id, std::string payment, Operation operation,
                            std::int64_t amount, std::string key = {}) {
    AttemptRow row;
    row.idempotency_key = key.empty() ? "key of " + id : std::move(key);
    row.id = std::move(id);
    row.merchant = "mer_a";
    row.fingerprint = storage::digest_of(7);
    row.payment = std::move(payment);
    row.operation = operation;
    row.amount = amount;
    row.owner = "gatewayd";
    row.ticket = "ticket";
    row.processor_token = operation == Operation::sale ? "sealed" : "";
    row.created_at_us = 10;
    row.updated_at_us = 10;
    row.next_at_us = 100;
    return row;
  }
  static PaymentRow payment(std::string id, const AttemptRow& first) {
    return {.id = std::move(id),
            .merchant = "mer_a",
            .currency = *payments::Currency::parse("USD"),
            .payment = payments::start(first.operation, first.amount),
            .token = "tok_a",
            .initiator = payments::Initiator::merchant,
            .connector = "stripe",
            .account_id = "acc_1",
            .reference = "order \"7\"",
            .metadata = R"({"a":"b"})",
            .first_attempt = first.id,
            .processor_reference = {},
            .decline = {},
            .open_attempt = first.id,
            .created_at_us = 10,
            .updated_at_us = 10};
  }
  // A stored payment whose first operation was approved.
  PaymentRow made(const std::string& id, Operation operation, std::int64_t amount = 1000) {
    AttemptRow first = attempt("att_" + id, id, operation, amount);
    PaymentRow row = payment(id, first);
    EXPECT_EQ(run(store_->begin_payment(row, first)), Begun::begun);
    concluded(row, first, OperationOutcome::approved);
    return read_back(id);
  }
  void concluded(PaymentRow row, AttemptRow of, OperationOutcome outcome) {
    row.payment = conclude(row.payment, outcome);
    row.processor_reference = "pi_1";
    row.updated_at_us = 20;
    of.state =
        outcome == OperationOutcome::approved ? AttemptState::approved : AttemptState::declined;
    of.decline = row.decline;
    of.updated_at_us = 20;
    EXPECT_EQ(run(store_->conclude(row, of)), true);
  }
  PaymentRow read_back(const std::string& id) {
    const auto row = run(store_->payment("mer_a", id));
    SR_CHECK(row.has_value() && row->has_value());
    return **row;
  }

  std::optional<PaymentStore> store_;
};

TEST_P(PaymentStoreTest, KeepsEveryMember) {
  AttemptRow first = attempt("att_1", "pay_1", Operation::sale, 1099);
  PaymentRow row = payment("pay_1", first);
  ASSERT_EQ(run(store_->begin_payment(row, first)), Begun::begun);
  const PaymentRow pending = read_back("pay_1");
  EXPECT_EQ(pending.payment, row.payment);
  EXPECT_EQ(pending.open_attempt, "att_1");
  EXPECT_EQ(pending.reference, row.reference);
  EXPECT_EQ(pending.metadata, row.metadata);
  EXPECT_EQ(pending.initiator, payments::Initiator::merchant);
  EXPECT_EQ(pending.version, 1);
  auto known = run(store_->attempt_by_key("mer_a", "key of att_1"));
  ASSERT_TRUE(known && *known);
  EXPECT_EQ((*known)->fingerprint, first.fingerprint);
  EXPECT_EQ((*known)->ticket, "ticket");
  EXPECT_EQ((*known)->processor_token, "sealed");
  EXPECT_EQ((*known)->state, AttemptState::pending);

  row.decline = Decline{DeclineClass::soft, "no_funds"};
  concluded(row, first, OperationOutcome::declined);
  const PaymentRow declined = read_back("pay_1");
  EXPECT_EQ(status(declined.payment), "declined");
  EXPECT_EQ(declined.decline, row.decline);
  EXPECT_EQ(declined.processor_reference, "pi_1");
  EXPECT_EQ(declined.open_attempt, "");
  EXPECT_EQ(declined.updated_at_us, 20);
  known = run(store_->attempt_by_key("mer_a", "key of att_1"));
  EXPECT_EQ((*known)->state, AttemptState::declined);
  EXPECT_EQ((*known)->after.stage, payments::Stage::declined);
  EXPECT_EQ((*known)->ticket, "");
  EXPECT_EQ((*known)->processor_token, "");
  EXPECT_EQ((*known)->next_at_us, 0);
}

TEST_P(PaymentStoreTest, AKeyBeginsOnePayment) {
  const AttemptRow first = attempt("att_1", "pay_1", Operation::sale, 10, "k");
  ASSERT_EQ(run(store_->begin_payment(payment("pay_1", first), first)), Begun::begun);
  const AttemptRow second = attempt("att_2", "pay_2", Operation::sale, 10, "k");
  EXPECT_EQ(run(store_->begin_payment(payment("pay_2", second), second)), Begun::key_known);
  EXPECT_EQ(number("SELECT count(*) FROM payments"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM attempts"), 1);
}

TEST_P(PaymentStoreTest, AnOperationNeedsThePaymentAsItWasRead) {
  const PaymentRow row = made("pay_1", Operation::authorize);
  const AttemptRow capture = attempt("att_2", "pay_1", Operation::capture, 400);
  ASSERT_EQ(run(store_->begin_operation(row, capture)), Begun::begun);
  const PaymentRow open = read_back("pay_1");
  EXPECT_EQ(open.payment.open->amount, 400);
  EXPECT_EQ(status(open.payment), "pending");
  EXPECT_EQ(open.version, 2);
  // Open already, and read before that: nothing is stored.
  const AttemptRow release = attempt("att_3", "pay_1", Operation::void_, 1000);
  EXPECT_EQ(run(store_->begin_operation(row, release)), Begun::moved);
  EXPECT_EQ(run(store_->begin_operation(open, release)), Begun::moved);
  EXPECT_EQ(number("SELECT count(*) FROM attempts"), 2);
}

TEST_P(PaymentStoreTest, AKnownKeyOpensNoPayment) {
  const PaymentRow row = made("pay_1", Operation::authorize);
  const AttemptRow capture = attempt("att_2", "pay_1", Operation::capture, 400, "key of att_pay_1");
  EXPECT_EQ(run(store_->begin_operation(row, capture)), Begun::key_known);
  EXPECT_EQ(read_back("pay_1").open_attempt, "");
  EXPECT_EQ(read_back("pay_1").version, 1);
}

TEST_P(PaymentStoreTest, LosingAndConcludingTakeEffectOnce) {
  const PaymentRow row = made("pay_1", Operation::sale);
  AttemptRow refund = attempt("re_2", "pay_1", Operation::refund, 300);
  ASSERT_EQ(run(store_->begin_operation(row, refund)), Begun::begun);
  PaymentRow open = read_back("pay_1");
  refund.tries = 3;
  refund.next_at_us = 500;
  EXPECT_EQ(run(store_->lose(open, refund)), true);
  EXPECT_EQ(status(read_back("pay_1").payment), "unknown");
  EXPECT_EQ(run(store_->due(499))->size(), 0U);
  const auto due = run(store_->due(500));
  ASSERT_EQ(due->size(), 1U);
  EXPECT_EQ(due->front().tries, 3);
  EXPECT_EQ(run(store_->unsettled())->count, 1);
  EXPECT_EQ(run(store_->unsettled())->oldest_us, 10);

  open = read_back("pay_1");
  concluded(open, refund, OperationOutcome::approved);
  EXPECT_EQ(read_back("pay_1").payment.refunded, 300);
  open.payment = conclude(open.payment, OperationOutcome::approved);
  EXPECT_EQ(run(store_->conclude(open, refund)), false);
  EXPECT_EQ(run(store_->lose(open, refund)), false);
  EXPECT_EQ(status(read_back("pay_1").payment), "partially_refunded");
  EXPECT_EQ(run(store_->unsettled())->count, 0);
  EXPECT_EQ(run(store_->unsettled())->oldest_us, 0);
}

TEST_P(PaymentStoreTest, AbandoningLeavesNoTrace) {
  const AttemptRow first = attempt("att_1", "pay_1", Operation::sale, 10);
  ASSERT_EQ(run(store_->begin_payment(payment("pay_1", first), first)), Begun::begun);
  EXPECT_EQ(run(store_->abandon(first)), true);
  EXPECT_EQ(run(store_->abandon(first)), false);
  EXPECT_EQ(number("SELECT count(*) FROM payments"), 0);
  ASSERT_EQ(run(store_->begin_payment(payment("pay_1", first), first)), Begun::begun);

  const PaymentRow row = made("pay_2", Operation::authorize);
  const AttemptRow capture = attempt("att_2", "pay_2", Operation::capture, 400);
  ASSERT_EQ(run(store_->begin_operation(row, capture)), Begun::begun);
  EXPECT_EQ(run(store_->abandon(capture)), true);
  const PaymentRow back = read_back("pay_2");
  EXPECT_EQ(status(back.payment), "authorized");
  EXPECT_EQ(run(store_->begin_operation(back, capture)), Begun::begun);
}

TEST_P(PaymentStoreTest, WhatIsLostIsNotAbandoned) {
  AttemptRow first = attempt("att_1", "pay_1", Operation::sale, 10);
  const PaymentRow row = payment("pay_1", first);
  ASSERT_EQ(run(store_->begin_payment(row, first)), Begun::begun);
  ASSERT_EQ(run(store_->lose(row, first)), true);
  EXPECT_EQ(run(store_->abandon(first)), false);
  EXPECT_EQ(status(read_back("pay_1").payment), "unknown");
}

TEST_P(PaymentStoreTest, TheDatabaseRefusesMoneyFromNowhere) {
  PaymentRow row = made("pay_1", Operation::authorize);
  const AttemptRow capture = attempt("att_2", "pay_1", Operation::capture, 400);
  ASSERT_EQ(run(store_->begin_operation(row, capture)), Begun::begun);
  row = read_back("pay_1");
  row.payment.captured = 1001;
  row.payment.stage = payments::Stage::captured;
  const auto stored = run(store_->conclude(row, capture));
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code(), ErrorCode::conflict);
  EXPECT_EQ(status(read_back("pay_1").payment), "pending");
}

TEST_P(PaymentStoreTest, ManyAtOnceHaveTheirOwnFates) {
  const PaymentRow row = made("pay_0", Operation::authorize);
  std::vector<Begun> fates(40, Begun::moved);
  run_together(fates.size(), [&](std::size_t i) -> async::Task<void> {
    return [](PaymentStore& store, PaymentRow open, std::size_t index,
              Begun& fate) -> async::Task<void> {
      const std::string n = std::to_string(index);
      if (index % 4 == 3) {  // a known key on a payment: its conflict must spoil nobody else
        AttemptRow capture =
            attempt("att_c" + n, "pay_0", Operation::capture, 1, "key of att_pay_0");
        const auto result = co_await store.begin_operation(std::move(open), std::move(capture));
        if (result) fate = *result;
        co_return;
      }
      AttemptRow first = attempt("att_" + n, "pay_" + n + "x", Operation::sale, 10,
                                 index % 4 == 2 ? "shared" : "");
      PaymentRow fresh = payment("pay_" + n + "x", first);
      const auto result = co_await store.begin_payment(std::move(fresh), std::move(first));
      if (result) fate = *result;
    }(*store_, row, i, fates[i]);
  });
  int shared = 0;
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (i % 4 == 2) {
      shared += fates[i] == Begun::begun ? 1 : 0;
    } else {
      EXPECT_EQ(fates[i], i % 4 == 3 ? Begun::key_known : Begun::begun) << i;
    }
  }
  EXPECT_EQ(shared, 1);
  EXPECT_EQ(number("SELECT count(*) FROM payments"), 22);
  EXPECT_EQ(number("SELECT count(*) FROM attempts"), 22);
  EXPECT_EQ(read_back("pay_0").open_attempt, "");
}

// What one batch holds of one attempt: only the first takes effect, and the other hears so.
TEST_P(PaymentStoreTest, ConcludingTwiceAtOnceTakesEffectOnce) {
  const AttemptRow first = attempt("att_1", "pay_1", Operation::sale, 1000);
  const PaymentRow row = payment("pay_1", first);
  ASSERT_EQ(run(store_->begin_payment(row, first)), Begun::begun);
  int effects = 0;
  run_together(2, [&](std::size_t i) -> async::Task<void> {
    PaymentRow after = row;
    after.payment = conclude(row.payment, OperationOutcome::approved);
    after.processor_reference = i == 0 ? "pi_0" : "pi_1";
    AttemptRow closed = first;
    closed.state = AttemptState::approved;
    const auto result = co_await store_->conclude(after, closed);
    EXPECT_TRUE(result.has_value());
    if (result && *result) effects += 1 + static_cast<int>(i);
  });
  ASSERT_TRUE(effects == 1 || effects == 2) << effects;
  EXPECT_EQ(read_back("pay_1").processor_reference, effects == 1 ? "pi_0" : "pi_1");
}

// Keys are their merchants' own, also where one statement looks them up.
TEST_P(PaymentStoreTest, LookUpsThatShareAStatementFindTheirOwn) {
  for (const std::string name : {"a", "b"}) {
    AttemptRow first = attempt("att_" + name, "pay_" + name, Operation::sale, 1000, "key");
    first.merchant = "mer_" + name;
    PaymentRow row = payment("pay_" + name, first);
    row.merchant = first.merchant;
    ASSERT_EQ(run(store_->begin_payment(row, first)), Begun::begun);
  }
  std::vector<std::string> found(4);
  run_together(4, [&](std::size_t i) -> async::Task<void> {
    std::string merchant = i == 1 ? "mer_b" : i == 2 ? "mer_c" : "mer_a";
    const auto attempt =
        co_await store_->attempt_by_key(std::move(merchant), i == 3 ? "yek" : "key");
    found[i] = attempt && attempt->has_value() ? (*attempt)->id : "none";
  });
  EXPECT_EQ(found, (std::vector<std::string>{"att_a", "att_b", "none", "none"}));
}

TEST_P(PaymentStoreTest, AccountsAreReplacedButNeverChangeConnector) {
  const SystemClock clock;
  AccountStore accounts(*database_, clock);
  Account account{.id = "acc_1",
                  .merchant = "mer_a",
                  .connector = "stripe",
                  .sealed = "b25l",
                  .created_at_us = 1};
  ASSERT_TRUE(run(accounts.put(account)));
  account.sealed = "dHdv";
  ASSERT_TRUE(run(accounts.put(account)));
  EXPECT_EQ((*run(accounts.find("mer_a", "acc_1")))->sealed, "dHdv");
  EXPECT_EQ(run(accounts.of_merchant("mer_a"))->size(), 1U);
  account.connector = "nmi";
  const auto stolen = run(accounts.put(account));
  ASSERT_FALSE(stolen);
  EXPECT_EQ(stolen.error().code(), ErrorCode::conflict);
  account.merchant = "mer_b";  // another merchant's id is its own
  EXPECT_TRUE(run(accounts.put(account)));
  EXPECT_FALSE(run(accounts.find("mer_b", "acc_2"))->has_value());
}

INSTANTIATE_TEST_SUITE_P(Databases, PaymentStoreTest, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace strongroom::connected::gateway

#include "connected/gateway/payment_service.h"

#include <gtest/gtest.h>

#include <string>

#include "connected/gateway/ids.h"
#include "connected/gateway/testing/fixture.h"

namespace strongroom::connected::gateway {
namespace {

using payments::Decline;
using payments::DeclineClass;
using payments::Operation;
using payments::OperationOutcome;
using testing::Fault;
using testing::GatewayTest;
using testing::kMerchant;
using testing::kOther;
using wire::ProblemType;

class PaymentServiceTest : public GatewayTest {
 protected:
  // Runs the statement while the next request is at the processor.
  void meanwhile(std::string_view sql) {
    processor_.meanwhile = [this, sql] {
      async::spawn([](storage::Database& database, std::string_view text) -> async::Task<void> {
        std::vector<storage::Statement> statements;
        statements.push_back({.sql = text});
        static_cast<void>(co_await database.write(std::move(statements)));
      }(*database_, sql));
    };
  }
};

TEST_F(PaymentServiceTest, SaleTakesTheAmountOnce) {
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->replayed);
  EXPECT_EQ(status(done->payment.payment), "captured");
  EXPECT_EQ(done->payment.id, payment_id(kMerchant, "k1"));
  ASSERT_EQ(processor_.charges.size(), 1U);
  EXPECT_EQ(processor_.charges[0].captured, 1000);
  EXPECT_EQ(processor_.charges[0].reference, done->attempt.id);
  const PaymentRow row = stored(done->payment.id);
  EXPECT_EQ(row.payment, done->payment.payment);
  EXPECT_EQ(row.processor_reference, "pi_0");
  EXPECT_EQ(row.metadata, R"({"a":"b"})");
  // Nothing that could be used again is kept.
  EXPECT_EQ(count("SELECT count(*) FROM attempts WHERE ticket <> '' OR processor_token <> ''"), 0);
}

TEST_F(PaymentServiceTest, TheSameKeyGivesTheStoredAnswerAgain) {
  const auto first = pay("k1");
  ASSERT_TRUE(first);
  ASSERT_TRUE(change("k2", first->payment.id, Operation::refund, 400));
  const auto again = pay("k1");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(status(again->payment.payment), "captured");  // as it stood then
  EXPECT_EQ(again->payment.payment.refunded, 0);
  EXPECT_EQ(again->payment.updated_at_us, first->payment.updated_at_us);
  EXPECT_EQ(processor_.charges.size(), 1U);
  EXPECT_EQ(vault_.payments.size(), 1U);
  const auto refund = change("k2", first->payment.id, Operation::refund, 400);
  ASSERT_TRUE(refund);
  EXPECT_TRUE(refund->replayed);
  EXPECT_EQ(processor_.charges[0].refunds.size(), 1U);
}

TEST_F(PaymentServiceTest, TheSameKeyWithAnotherRequestIsAMismatch) {
  ASSERT_TRUE(pay("k1"));
  const auto other = wait(service_->pay(call("k1", std::byte{2}), request()));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().type, ProblemType::idempotency_mismatch);
  EXPECT_TRUE(other.error().detail.text().contains("body"));
  EXPECT_EQ(processor_.requests, 1);
}

TEST_F(PaymentServiceTest, TheSameKeyOnAnotherPathIsSaidToBeThat) {
  const std::string one = pay("k1")->payment.id;
  const std::string two = pay("k2")->payment.id;
  ASSERT_TRUE(change("r", one, Operation::refund, 400));
  const auto other_path = [&](const Answer<Done>& answer) {
    return !answer && answer.error().type == ProblemType::idempotency_mismatch &&
           answer.error().detail.text().contains("path");
  };
  const auto ask = [&](std::string key, const std::string& payment, Operation operation) {
    return wait(service_->change(call(std::move(key), std::byte{2}), payment, operation, 400));
  };
  EXPECT_TRUE(other_path(ask("k1", one, Operation::refund)));
  EXPECT_TRUE(other_path(ask("r", two, Operation::refund)));
  EXPECT_TRUE(other_path(ask("r", one, Operation::capture)));
  EXPECT_TRUE(other_path(wait(service_->pay(call("r", std::byte{2}), request()))));
  const auto another_body = ask("r", one, Operation::refund);
  ASSERT_FALSE(another_body);
  EXPECT_TRUE(another_body.error().detail.text().contains("body"));
}

TEST_F(PaymentServiceTest, TheSameKeyWhileTheFirstRunsIsInProgress) {
  std::optional<Answer<Done>> second;
  processor_.meanwhile = [&] {
    async::spawn([](PaymentService& service, Call what, PaymentRequest wanted,
                    std::optional<Answer<Done>>& out) -> async::Task<void> {
      out = co_await service.pay(std::move(what), std::move(wanted));
    }(*service_, call("k1"), request(), second));
  };
  ASSERT_TRUE(pay("k1"));
  while (!second) wait(loop_.sleep_for(std::chrono::milliseconds(1)));
  // It read the database before the first was done, or after: never a second charge.
  if (!*second) {
    EXPECT_EQ(second->error().type, ProblemType::idempotency_in_progress);
  }
  EXPECT_EQ(processor_.charges.size(), 1U);
}

TEST_F(PaymentServiceTest, KeysOfMerchantsDoNotMeet) {
  add_account(kOther, "acc_2", "stripe");
  const auto one = pay("k1");
  const auto two = wait(service_->pay(call("k1", std::byte{1}, kOther), request()));
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->payment.id, two->payment.id);
  EXPECT_FALSE(two->replayed);
  EXPECT_EQ(processor_.charges.size(), 2U);
}

TEST_F(PaymentServiceTest, ADeclineIsAPaymentThatSaysWhy) {
  processor_.next = {OperationOutcome::declined, "pi_x", Decline{DeclineClass::soft, "no_funds"}};
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "declined");
  EXPECT_EQ(done->payment.decline->code, "no_funds");
  EXPECT_EQ(stored(done->payment.id).decline, done->payment.decline);
  const auto again = pay("k1");
  EXPECT_EQ(again->payment.decline, done->payment.decline);
  EXPECT_EQ(processor_.requests, 1);
}

TEST_F(PaymentServiceTest, ACardThatTheProcessorRefusesIsADeclinedPayment) {
  vault_.refusal = {OperationOutcome::declined, {}, Decline{DeclineClass::hard, "stolen_card"}};
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "declined");
  const PaymentRow row = stored(done->payment.id);
  EXPECT_EQ(status(row.payment), "declined");
  EXPECT_EQ(row.decline->code, "stolen_card");
  EXPECT_EQ(row.open_attempt, "");
  EXPECT_EQ(count("SELECT count(*) FROM attempts WHERE ticket <> '' OR next_at > 0"), 0);
  EXPECT_EQ(processor_.requests, 0);
  vault_.refusal.reset();
  const auto again = pay("k1");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->payment.decline, done->payment.decline);
  EXPECT_EQ(vault_.payments.size(), 1U);
}

TEST_F(PaymentServiceTest, CaptureVoidAndRefundFollowTheRules) {
  const std::string id = authorized();
  const auto captured = change("c", id, Operation::capture, 600);
  ASSERT_TRUE(captured);
  EXPECT_EQ(status(captured->payment.payment), "partially_captured");
  EXPECT_EQ(change("c2", id, Operation::capture, 100).error().type, ProblemType::payment_state);
  EXPECT_EQ(change("v", id, Operation::void_).error().type, ProblemType::payment_state);
  EXPECT_EQ(change("r1", id, Operation::refund, 601).error().type, ProblemType::payment_state);
  ASSERT_TRUE(change("r2", id, Operation::refund, 200));
  const auto rest = change("r3", id, Operation::refund);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->attempt.amount, 400);
  EXPECT_TRUE(rest->attempt.id.starts_with("re_"));
  EXPECT_EQ(status_of(id), "refunded");
  EXPECT_EQ(change("r4", id, Operation::refund, 1).error().type, ProblemType::payment_state);
  // What was refused has left no record: the key is free.
  EXPECT_EQ(count("SELECT count(*) FROM attempts"), 4);
}

TEST_F(PaymentServiceTest, VoidReleasesAll) {
  const std::string id = authorized();
  const auto done = change("v", id, Operation::void_);
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "voided");
  EXPECT_EQ(change("c", id, Operation::capture).error().type, ProblemType::payment_state);
}

TEST_F(PaymentServiceTest, AnotherMerchantsPaymentIsNotThere) {
  const std::string id = authorized();
  add_account(kOther, "acc_2", "stripe");
  const auto taken =
      wait(service_->change(call("c", std::byte{1}, kOther), id, Operation::capture, {}));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().type, ProblemType::not_found);
  EXPECT_EQ(wait(service_->payment(kOther, id)).error().type, ProblemType::not_found);
  EXPECT_EQ(wait(store_->page(kOther, ""))->items.size(), 0U);
}

TEST_F(PaymentServiceTest, ARefusedDeclineLeavesThePaymentAndSaysWhy) {
  const std::string id = authorized();
  processor_.next = {OperationOutcome::declined, "", Decline{DeclineClass::hard, "expired"}};
  const auto done = change("c", id, Operation::capture);
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "authorized");
  EXPECT_EQ(done->payment.decline->code, "expired");
  const auto second = change("c2", id, Operation::capture);
  ASSERT_TRUE(second);
  EXPECT_EQ(status(second->payment.payment), "captured");
  EXPECT_FALSE(second->payment.decline);
}

TEST_F(PaymentServiceTest, ACardThatTheProcessorForgotIsPutThereAnewAndPaysOnce) {
  const std::string old = "sealed-tok_a-c2VhbGVk";
  processor_.forgotten = {old};
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "captured");
  EXPECT_EQ(vault_.stale, (std::vector<std::string>{"", old}));
  EXPECT_EQ(vault_.payments[0], vault_.payments[1]);  // one payment, one use
  ASSERT_EQ(processor_.charges.size(), 1U);
  EXPECT_EQ(processor_.charges[0].reference, done->attempt.id);
  EXPECT_EQ(stored(done->payment.id).first_attempt, done->attempt.id);
  EXPECT_EQ(count("SELECT count(*) FROM attempts"), 1);
  EXPECT_TRUE(pay("k1")->replayed);
}

TEST_F(PaymentServiceTest, ACardThatTheProcessorForgetsAgainFails) {
  processor_.forgotten = {"sealed-tok_a-c2VhbGVk", "anew-tok_a-c2VhbGVk"};
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "failed");
  EXPECT_EQ(done->payment.decline->code, payments::kProcessorTokenUnknown);
  EXPECT_EQ(processor_.requests, 2);
  EXPECT_EQ(count("SELECT count(*) FROM attempts"), 1);
}

// Only a definite answer, and an attempt that nobody else can settle any more, lead to a second.
TEST_F(PaymentServiceTest, ALostAnswerOrALostAttemptIsNotTriedWithANewProcessorToken) {
  processor_.forgotten = {"sealed-tok_a-c2VhbGVk"};
  processor_.faults = {Fault::lost_after};
  EXPECT_EQ(status(pay("k1")->payment.payment), "unknown");
  EXPECT_EQ(processor_.requests, 1);
  meanwhile("UPDATE attempts SET state = 'unknown'");  // as if another had found it lost
  EXPECT_EQ(status(pay("k2")->payment.payment), "failed");
  EXPECT_EQ(processor_.requests, 2);
}

TEST_F(PaymentServiceTest, WhatTheVaultRefusesLeavesNothing) {
  vault_.refuse = ProblemType::token_deleted;
  EXPECT_EQ(pay("k1").error().type, ProblemType::token_deleted);
  EXPECT_EQ(processor_.requests, 0);
  EXPECT_EQ(count("SELECT count(*) FROM payments"), 0);
  vault_.refuse.reset();
  ASSERT_TRUE(pay("k1"));
  // Both asked for one payment: one use.
  ASSERT_EQ(vault_.payments.size(), 2U);
  EXPECT_EQ(vault_.payments[0], vault_.payments[1]);
}

TEST_F(PaymentServiceTest, WhatNeverReachedTheProcessorMayBeSentAgain) {
  processor_.faults = {Fault::refused};
  EXPECT_EQ(pay("k1").error().type, ProblemType::service_unavailable);
  EXPECT_EQ(count("SELECT count(*) FROM payments"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM attempts"), 0);
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->replayed);

  processor_.faults = {Fault::refused};
  EXPECT_EQ(change("r", done->payment.id, Operation::refund).error().type,
            ProblemType::service_unavailable);
  EXPECT_EQ(status_of(done->payment.id), "captured");
  EXPECT_TRUE(change("r", done->payment.id, Operation::refund));
}

TEST_F(PaymentServiceTest, ChoosesTheAccountThatIsNamedOrTheOldest) {
  add_account(kMerchant, "acc_2", "nmi");
  add_account(kMerchant, "acc_3", "tsys");  // no connectord of that name here
  EXPECT_EQ(pay("k1")->payment.account_id, "acc_1");
  PaymentRequest named = request();
  named.connector = "nmi";
  clock_.now += AccountStore::kKeepUs;
  EXPECT_EQ(pay("k2", named)->payment.account_id, "acc_2");
  named.connector = "tsys";
  EXPECT_EQ(pay("k3", named).error().type, ProblemType::invalid_value);
  const auto none = wait(service_->pay(call("k", std::byte{1}, kOther), request()));
  EXPECT_EQ(none.error().type, ProblemType::invalid_value);
}

TEST_F(PaymentServiceTest, ALostAnswerIsUnknownAndLocksThePayment) {
  processor_.faults = {Fault::lost_after};
  const auto done = pay("k1");
  ASSERT_TRUE(done);
  EXPECT_EQ(status(done->payment.payment), "unknown");
  EXPECT_EQ(status_of(done->payment.id), "unknown");
  EXPECT_EQ(change("r", done->payment.id, Operation::refund).error().type,
            ProblemType::payment_state);
  const auto again = pay("k1");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(status(again->payment.payment), "unknown");
  EXPECT_EQ(processor_.charges.size(), 1U);
}

TEST_F(PaymentServiceTest, WhatCannotBeTakenBackOrStoredIsUnknown) {
  meanwhile("UPDATE attempts SET state = 'unknown'");  // as if another had found it lost
  processor_.faults = {Fault::refused};
  const auto refused = pay("k1");
  ASSERT_TRUE(refused);
  EXPECT_EQ(status(refused->payment.payment), "unknown");
  meanwhile("UPDATE attempts SET state = 'failed', next_at = 0");  // as if another had concluded it
  const auto charged = pay("k2");
  ASSERT_TRUE(charged);
  EXPECT_EQ(status(charged->payment.payment), "unknown");
}

TEST_F(PaymentServiceTest, APaymentMayNameTheAccount) {
  add_account(kMerchant, "acc_2", "stripe");
  add_account(kOther, "acc_3", "stripe");
  add_account(kMerchant, "acc_4", "unserved");
  const auto at = [&](std::string key, std::string account, std::string connector) {
    PaymentRequest wanted = request();
    wanted.account = std::move(account);
    wanted.connector = std::move(connector);
    return pay(std::move(key), std::move(wanted));
  };
  EXPECT_EQ(at("k1", "", "")->payment.account_id, "acc_1");
  EXPECT_EQ(at("k2", "acc_2", "")->payment.account_id, "acc_2");
  EXPECT_EQ(at("k3", "acc_2", "stripe")->payment.account_id, "acc_2");
  int key = 4;
  for (const auto& [account, connector] : {std::pair("acc_2", "nmi"), std::pair("acc_3", ""),
                                           std::pair("acc_4", ""), std::pair("acc_none", "")}) {
    const auto refused = at("k" + std::to_string(key++), account, connector);
    ASSERT_FALSE(refused) << account;
    EXPECT_EQ(refused.error().type, ProblemType::invalid_value);
    EXPECT_EQ(refused.error().pointer.text(), "#/connector_account");
  }
  EXPECT_EQ(processor_.charges.size(), 3U);
}

TEST_F(PaymentServiceTest, ManyAtOnceShareCommitsAndEachHasItsFate) {
  constexpr int kCount = 50;
  int left = kCount;
  int captured = 0;
  for (int i = 0; i < kCount; ++i) {
    async::spawn([](GatewayTest&, PaymentService& service, Call what, PaymentRequest wanted,
                    int& good, int& open) -> async::Task<void> {
      const auto done = co_await service.pay(std::move(what), std::move(wanted));
      if (done && status(done->payment.payment) == "captured") ++good;
      --open;
    }(*this, *service_, call("k" + std::to_string(i % 40)), request(), captured, left));
  }
  while (left > 0) wait(loop_.sleep_for(std::chrono::milliseconds(1)));
  EXPECT_GE(captured, 40);
  EXPECT_EQ(processor_.charges.size(), 40U);
  EXPECT_EQ(count("SELECT count(*) FROM payments WHERE stage = 'captured'"), 40);
}

TEST_F(PaymentServiceTest, PagesGoFromTheNewestOn) {
  for (std::size_t i = 0; i < kPageSizeMax + 3; ++i) {
    clock_.now += 1;
    ASSERT_TRUE(pay("k" + std::to_string(i)));
  }
  const auto first = wait(store_->page(kMerchant, ""));
  ASSERT_TRUE(first);
  ASSERT_EQ(first->items.size(), kPageSizeMax);
  EXPECT_TRUE(first->more);
  EXPECT_EQ(first->items.front().id, payment_id(kMerchant, "k102"));
  const auto second = wait(store_->page(kMerchant, first->items.back().id));
  ASSERT_EQ(second->items.size(), 3U);
  EXPECT_FALSE(second->more);
  EXPECT_EQ(second->items.back().id, payment_id(kMerchant, "k0"));
}

}  // namespace
}  // namespace strongroom::connected::gateway

#include "connected/gateway/settler.h"

#include <gtest/gtest.h>

#include <string>

#include "connected/gateway/testing/fixture.h"

namespace strongroom::connected::gateway {
namespace {

using payments::Operation;
using payments::OperationOutcome;
using payments::ProcessorView;
using testing::Fault;
using testing::GatewayTest;
using testing::kMerchant;

constexpr std::int64_t kHourUs = 3'600'000'000;

class SettlerTest : public GatewayTest {
 protected:
  // What the merchant's key gives once it is settled.
  std::string replayed(const std::string& key) {
    const auto done = pay(key);
    SR_CHECK(done.has_value() && done->replayed);
    return std::string(status(done->payment.payment));
  }
};

TEST_F(SettlerTest, RepeatsUntilTheProcessorTells) {
  for (const Fault fault : {Fault::lost_before, Fault::lost_after}) {
    const std::string key = fault == Fault::lost_before ? "before" : "after";
    processor_.faults = {fault, fault, Fault::refused};
    const std::size_t charges = processor_.charges.size();
    const auto done = pay(key);
    ASSERT_EQ(status(done->payment.payment), "unknown");
    EXPECT_EQ(settle(5), 3);
    EXPECT_EQ(status_of(done->payment.id), "captured");
    EXPECT_EQ(replayed(key), "captured");
    EXPECT_EQ(processor_.charges.size(), charges + 1);
    EXPECT_EQ(processor_.last_ticket, "ticket");
  }
  EXPECT_EQ(processor_.settles, 6);
  EXPECT_EQ(wait(store_->unsettled())->count, 0);
}

TEST_F(SettlerTest, SettlesEveryOperation) {
  const std::string one = authorized();
  const std::string two = captured();
  processor_.faults = {Fault::lost_after};
  ASSERT_TRUE(change("c", one, Operation::capture, 300));
  EXPECT_EQ(settle(1), 1);
  EXPECT_EQ(status_of(one), "partially_captured");
  processor_.faults = {Fault::lost_before};
  ASSERT_TRUE(change("r", two, Operation::refund, 300));
  EXPECT_EQ(settle(1), 1);
  EXPECT_EQ(status_of(two), "partially_refunded");
  EXPECT_EQ(stored(two).payment.refunded, 300);
  const std::string three = pay("other", request(500, false))->payment.id;
  processor_.faults = {Fault::lost_after};
  ASSERT_TRUE(change("v", three, Operation::void_));
  EXPECT_EQ(settle(1), 1);
  EXPECT_EQ(status_of(three), "voided");
  EXPECT_EQ(stored(three).processor_reference, "pi_2");
}

TEST_F(SettlerTest, SettlesAllThatIsDueInOneRound) {
  processor_.faults = std::vector<Fault>(5, Fault::lost_after);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pay("k" + std::to_string(i)));
  EXPECT_EQ(wait(store_->unsettled())->count, 5);
  clock_.now += kHourUs;
  EXPECT_EQ(*wait(settler_->settle_due()), 5U);
  EXPECT_EQ(*wait(settler_->settle_due()), 0U);
  EXPECT_EQ(processor_.charges.size(), 5U);
}

TEST_F(SettlerTest, NothingIsAskedBeforeItsTime) {
  processor_.faults = {Fault::lost_after};
  ASSERT_TRUE(pay("k1"));
  EXPECT_EQ(settle(1, 500'000), 0);
  EXPECT_EQ(processor_.settles, 0);
  EXPECT_EQ(settle(1, 500'000), 1);
}

TEST_F(SettlerTest, LooksUpWhatTheProcessorWillNotRepeat) {
  const auto always_lost = std::vector<Fault>(20, Fault::lost_after);
  processor_.faults = always_lost;
  const auto done = pay("k1");
  EXPECT_EQ(settle(10), 5);  // four repeats, then a look-up
  EXPECT_EQ(processor_.look_ups, 1);
  EXPECT_EQ(status_of(done->payment.id), "captured");
  EXPECT_EQ(stored(done->payment.id).processor_reference, "pi_0");
}

TEST_F(SettlerTest, AbsenceIsBelievedOnlyPastTheProcessorsWindow) {
  processor_.faults = std::vector<Fault>(1000, Fault::lost_before);
  const auto done = pay("k1");
  EXPECT_EQ(settle(8), 0);
  EXPECT_GT(processor_.look_ups, 0);
  EXPECT_EQ(status_of(done->payment.id), "unknown");
  clock_.now += 24 * kHourUs;
  const int settles = processor_.settles;
  EXPECT_EQ(settle(2), 1);
  EXPECT_EQ(processor_.settles, settles + 1);  // a look-up, no repeat
  EXPECT_EQ(status_of(done->payment.id), "failed");
  EXPECT_EQ(replayed("k1"), "failed");
  EXPECT_TRUE(processor_.charges.empty());
}

TEST_F(SettlerTest, LookUpTakesTheProcessorsFigures) {
  const std::string id = authorized();
  processor_.faults = {Fault::lost_before};
  ASSERT_TRUE(change("c", id, Operation::capture, 900));
  clock_.now += 24 * kHourUs;
  processor_.charges[0].status = ProcessorView::Status::captured;  // by hand, at the processor
  processor_.charges[0].captured = 700;
  EXPECT_EQ(settle(1), 1);
  EXPECT_EQ(stored(id).payment.captured, 700);
  EXPECT_EQ(status_of(id), "partially_captured");
}

TEST_F(SettlerTest, AContradictionStaysUnknown) {
  processor_.faults = {Fault::lost_before};
  const auto done = pay("k1");
  clock_.now += 24 * kHourUs;
  processor_.look_up_answer = payments::LookUpAnswer{.outcome = OperationOutcome::approved,
                                                     .processor_reference = "pi_9",
                                                     .status = ProcessorView::Status::captured,
                                                     .amount = 5,
                                                     .amount_captured = 5};
  EXPECT_EQ(settle(3), 0);
  EXPECT_EQ(status_of(done->payment.id), "unknown");
}

TEST_F(SettlerTest, AskedForAMonthItIsLeftToAPerson) {
  processor_.faults = {Fault::lost_before};
  const auto done = pay("k1");
  clock_.now += 24 * 30 * kHourUs;
  const int requests = processor_.requests;
  EXPECT_EQ(settle(3), 0);
  EXPECT_EQ(processor_.requests, requests);
  EXPECT_EQ(status_of(done->payment.id), "unknown");
}

TEST_F(SettlerTest, ARestartFindsItsOwnPendingAttempts) {
  const std::string id = authorized();
  AttemptRow attempt;
  attempt.id = "att_dead";
  attempt.merchant = kMerchant;
  attempt.idempotency_key = "c";
  attempt.payment = id;
  attempt.operation = Operation::capture;
  attempt.amount = 1000;
  attempt.owner = "gatewayd";
  attempt.ticket = "old ticket";
  attempt.created_at_us = clock_.now;
  attempt.next_at_us = clock_.now + kPendingUs;
  ASSERT_EQ(wait(store_->begin_operation(stored(id), attempt)), Begun::begun);
  EXPECT_EQ(status_of(id), "pending");
  close_database();
  open_database();
  EXPECT_EQ(wait(store_->lose_open("another", clock_.now)), 0U);
  EXPECT_EQ(status_of(id), "pending");
  EXPECT_EQ(wait(store_->lose_open("gatewayd", clock_.now)), 1U);
  EXPECT_EQ(status_of(id), "unknown");
  EXPECT_EQ(settle(1, 0), 1);
  EXPECT_EQ(status_of(id), "captured");
  EXPECT_EQ(processor_.last_ticket, "old ticket");
  EXPECT_EQ(wait(store_->lose_open("gatewayd", clock_.now)), 0U);
}

TEST_F(SettlerTest, ARestartTakesUpWhatItHadClaimed) {
  processor_.faults = {Fault::lost_after};
  const auto done = pay("k1");
  clock_.now += kHourUs;
  const auto due = wait(store_->due(clock_.now));
  ASSERT_EQ(wait(store_->claim(due->front(), "another", clock_.now + kPendingUs)), true);
  EXPECT_EQ(wait(store_->lose_open("gatewayd", clock_.now)), 0U);
  EXPECT_EQ(settle(1, 0), 0);
  EXPECT_EQ(wait(store_->lose_open("another", clock_.now)), 1U);
  EXPECT_EQ(settle(1, 0), 1);
  EXPECT_EQ(status_of(done->payment.id), "captured");
}

TEST_F(SettlerTest, OneInstanceClaimsAnAttempt) {
  processor_.faults = {Fault::lost_after};
  ASSERT_TRUE(pay("k1"));
  clock_.now += kHourUs;
  const auto due = wait(store_->due(clock_.now));
  ASSERT_EQ(due->size(), 1U);
  EXPECT_EQ(wait(store_->claim(due->front(), "gatewayd", clock_.now + 1)), true);
  EXPECT_EQ(wait(store_->claim(due->front(), "another", clock_.now + 2)), false);
}

TEST_F(SettlerTest, AnOutcomeIsConcludedOnce) {
  processor_.faults = {Fault::lost_after};
  Done done = *pay("k1");
  done.attempt.state = AttemptState::approved;
  done.payment.payment = conclude(done.payment.payment, OperationOutcome::approved);
  EXPECT_EQ(wait(store_->conclude(done.payment, done.attempt)), true);
  done.payment.payment.captured = 0;
  done.payment.payment.stage = payments::Stage::failed;
  EXPECT_EQ(wait(store_->conclude(done.payment, done.attempt)), false);
  EXPECT_EQ(status_of(done.payment.id), "captured");
}

}  // namespace
}  // namespace strongroom::connected::gateway

// The part of the connectors' contract suite in which something goes wrong on the way: answers that
// do not come, come too late, or are not the answer.
#include "connector_contract_fixture.h"

namespace strongroom::test {
namespace {

TEST_P(ConnectorContract, ALostAnswerToAChargeIsUnknownAndSettlesToOneCharge) {
  for (const Operation operation : {Operation::sale, Operation::authorize}) {
    with_each_fault([&](Fault fault, bool after_effect) {
      stored_card();
      const std::string reference = fresh("att");
      under_test_->fail_next(Request::charge, fault, after_effect);
      const PayAnswer lost = pay(operation, reference, reference, false, &impatient());
      EXPECT_EQ(lost.outcome, OperationOutcome::unknown);
      EXPECT_LE(under_test_->truth(reference).charges, 1);
      if (!may_repeat()) return;
      const PayAnswer settled = pay(operation, reference, reference, true);
      EXPECT_EQ(settled.outcome, OperationOutcome::approved);
      EXPECT_EQ(under_test_->truth(reference).charges, 1);
      EXPECT_EQ(
          look_up({.reference = reference, .processor_reference = settled.processor_reference})
              .status,
          operation == Operation::sale ? Status::captured : Status::authorized);
    });
  }
}

TEST_P(ConnectorContract, ALostAnswerToAChangeIsUnknownAndSettlesToOneChange) {
  with_each_fault([&](Fault fault, bool after_effect) {
    const auto lose_and_settle = [&](Operation first, Operation operation, Request request,
                                     std::optional<std::int64_t> amount) {
      SCOPED_TRACE(payments::name(operation));
      const std::string reference = fresh("att");
      const std::string transaction = approved(first, reference);
      const std::string key = fresh("chg");
      under_test_->fail_next(request, fault, after_effect);
      EXPECT_EQ(change(operation, transaction, amount, key, false, &impatient()).outcome,
                OperationOutcome::unknown);
      expect_look_up_tells_the_truth(reference, transaction);
      if (may_repeat()) {
        EXPECT_EQ(change(operation, transaction, amount, key, true).outcome,
                  OperationOutcome::approved);
      } else if (!after_effect) {
        EXPECT_EQ(change(operation, transaction, amount, fresh("chg")).outcome,
                  OperationOutcome::approved);
      }
      return under_test_->truth(reference);
    };
    EXPECT_EQ(
        lose_and_settle(Operation::authorize, Operation::capture, Request::capture, 500).captured,
        500);
    EXPECT_EQ(lose_and_settle(Operation::sale, Operation::refund, Request::refund, 99).refunded,
              99);
    EXPECT_TRUE(lose_and_settle(Operation::authorize, Operation::void_, Request::void_, {}).voided);
  });
}

TEST_P(ConnectorContract, ALookUpSettlesWhatARepeatMayNot) {
  with_each_fault([&](Fault fault, bool after_effect) {
    stored_card();
    const std::string reference = fresh("att");
    under_test_->fail_next(Request::charge, fault, after_effect);
    EXPECT_EQ(pay(Operation::sale, reference, reference, false, &impatient()).outcome,
              OperationOutcome::unknown);
    if (!under_test_->can_search()) return;
    const LookUpAnswer found = look_up({.reference = reference, .age = std::chrono::hours(48)});
    const bool happened = under_test_->truth(reference).charges == 1;
    EXPECT_EQ(found.outcome, happened ? OperationOutcome::approved : OperationOutcome::failed);
    EXPECT_EQ(found.status, happened ? Status::captured : Status::absent);
    EXPECT_EQ(found.amount_captured, happened ? kAmount : 0);
  });
}

TEST_P(ConnectorContract, StoringSurvivesLostAnswers) {
  with_each_fault([&](Fault fault, bool after_effect) {
    for (const Request step : {Request::first_of_store, Request::last_of_store}) {
      const std::string key = fresh("key");
      under_test_->fail_next(step, fault, after_effect);
      const StoredCard lost = store(under_test_->good_number(), key, impatient());
      EXPECT_EQ(lost.outcome, OperationOutcome::unknown);
      EXPECT_TRUE(lost.ids.empty());
      const StoredCard again = store(under_test_->good_number(), key, *patient_);
      ASSERT_EQ(again.outcome, OperationOutcome::approved);
      ids_ = again.ids;
      approved(Operation::sale, fresh("att"));
      approved(Operation::sale, fresh("att"));
    }
  });
}

TEST_P(ConnectorContract, RemovingSurvivesLostAnswers) {
  with_each_quick_fault([&](Fault fault, bool after_effect) {
    for (const Request step : {Request::first_of_remove, Request::last_of_remove}) {
      ids_ = store(under_test_->good_number(), fresh("key"), *patient_).ids;
      under_test_->fail_next(step, fault, after_effect);
      const auto lost = loop_.run_until_done(impatient().remove(*account_, ids_));
      ASSERT_TRUE(lost.has_value());
      if (*lost == OperationOutcome::approved) {
        EXPECT_NE(pay(Operation::sale, fresh("att"), fresh("att")).outcome,
                  OperationOutcome::approved);
      } else {
        EXPECT_EQ(*lost, OperationOutcome::unknown);
      }
      const auto again = loop_.run_until_done(patient_->remove(*account_, ids_));
      ASSERT_TRUE(again.has_value());
      EXPECT_EQ(*again, OperationOutcome::approved);
    }
  });
}

TEST_P(ConnectorContract, ALookUpThatFailsSaysNothing) {
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::sale, reference);
  with_each_quick_fault([&](Fault fault, bool after_effect) {
    for (const std::string& known : {transaction, std::string()}) {
      if (known.empty() && !under_test_->can_search()) continue;
      under_test_->fail_next(Request::look_up, fault, after_effect);
      const LookUpAnswer seen =
          look_up({.reference = reference, .processor_reference = known, .age = 48h}, &impatient());
      if (seen.outcome == OperationOutcome::unknown) continue;
      EXPECT_EQ(seen.outcome, OperationOutcome::approved);  // it was asked again
      EXPECT_EQ(seen.amount_captured, kAmount);
    }
  });
}

TEST_P(ConnectorContract, AProcessorThatIsNotThereIsAnErrorAndNoOutcome) {
  const auto nowhere = under_test_->connect_to_nobody(loop_);
  const std::string reference = fresh("att");
  const Charge charge{.card = stored_card(),
                      .money = {kAmount, kUsd},
                      .reference = reference,
                      .idempotency_key = reference,
                      .initiator = payments::Initiator::customer,
                      .settle = false};
  const auto answer = loop_.run_until_done(nowhere->sale(*account_, charge));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), ErrorCode::unavailable);
  EXPECT_FALSE(
      loop_.run_until_done(nowhere->store(*account_, card(under_test_->good_number()), reference))
          .has_value());
  EXPECT_FALSE(
      loop_.run_until_done(nowhere->look_up(*account_, {.reference = reference})).has_value());
  loop_.run_until_done(nowhere->close());
}

}  // namespace
}  // namespace strongroom::test

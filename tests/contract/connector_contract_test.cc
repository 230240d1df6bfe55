// The contract suite of all connectors. A case says what a merchant must be able to rely on; what
// really happened is asked of the processor's stand-in, not of the connector.
#include "connector_contract.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/encoding.h"
#include "stripe_under_test.h"

namespace strongroom::test {
namespace {

using namespace std::chrono_literals;
using cde::CardFields;
using cde::Change;
using cde::Charge;
using cde::LookUp;
using cde::StoredCard;
using payments::Currency;
using payments::LookUpAnswer;
using payments::Operation;
using payments::OperationOutcome;
using payments::PayAnswer;
using Status = payments::ProcessorView::Status;

constexpr std::chrono::milliseconds kPatience = 10s;
constexpr std::chrono::milliseconds kImpatience = 700ms;  // what a fault makes a case wait
constexpr std::int64_t kAmount = 1099;

struct Named {
  std::string_view name;
  MakeConnectorUnderTest make;
};

class ConnectorContract : public testing::TestWithParam<Named> {
 public:
  static void TearDownTestSuite() { under_test_.reset(); }

 protected:
  void SetUp() override {
    if (!under_test_) under_test_ = GetParam().make();
    if (!under_test_) GTEST_SKIP() << "no stand-in of " << GetParam().name << " on this machine";
    account_.emplace(under_test_->account());
    patient_ = under_test_->connect(loop_, kPatience);
  }
  void TearDown() override {
    if (patient_) loop_.run_until_done(patient_->close());
    if (impatient_) loop_.run_until_done(impatient_->close());
  }

  // The connector that soon gives up, for cases with faults.
  cde::Connector& impatient() {
    if (!impatient_) impatient_ = under_test_->connect(loop_, kImpatience);
    return *impatient_;
  }
  static std::string fresh(std::string_view prefix) {
    static int count = 0;
    static const auto start = std::chrono::steady_clock::now().time_since_epoch().count();
    return std::string(prefix) + "_" + std::to_string(start % 1'000'000) + "_" +
           std::to_string(++count);
  }
  static CardFields card(std::string_view number) {
    return {*cde::Pan::parse(number), *cde::ExpiryDate::create(12, 2040), {}, {}};
  }
  StoredCard store(std::string_view number, const std::string& key, cde::Connector& connector) {
    auto stored = loop_.run_until_done(connector.store(*account_, card(number), key));
    EXPECT_TRUE(stored.has_value());
    return stored ? *std::move(stored) : StoredCard{};
  }
  // A good card, stored once for the case.
  const std::vector<std::string>& stored_card() {
    if (ids_.empty()) ids_ = store(under_test_->good_number(), fresh("key"), *patient_).ids;
    EXPECT_FALSE(ids_.empty());
    return ids_;
  }
  PayAnswer pay(Operation operation, const std::string& reference, const std::string& key,
                bool settle = false, cde::Connector* connector = nullptr,
                std::int64_t amount = kAmount) {
    const Charge charge{.card = stored_card(),
                        .money = {amount, kUsd},
                        .reference = reference,
                        .idempotency_key = key,
                        .initiator = payments::Initiator::customer,
                        .settle = settle};
    cde::Connector& used = connector == nullptr ? *patient_ : *connector;
    auto answer =
        loop_.run_until_done(operation == Operation::sale ? used.sale(*account_, charge)
                                                          : used.authorize(*account_, charge));
    EXPECT_TRUE(answer.has_value());
    return answer ? *std::move(answer) : PayAnswer{};
  }
  PayAnswer change(Operation operation, const std::string& transaction,
                   std::optional<std::int64_t> amount, const std::string& key, bool settle = false,
                   cde::Connector* connector = nullptr) {
    const Change asked{.processor_reference = transaction,
                       .amount = amount,
                       .currency = kUsd,
                       .reference = key,
                       .idempotency_key = key,
                       .settle = settle};
    cde::Connector& used = connector == nullptr ? *patient_ : *connector;
    auto answer =
        loop_.run_until_done(operation == Operation::capture ? used.capture(*account_, asked)
                             : operation == Operation::void_ ? used.void_(*account_, asked)
                                                             : used.refund(*account_, asked));
    EXPECT_TRUE(answer.has_value());
    return answer ? *std::move(answer) : PayAnswer{};
  }
  LookUpAnswer look_up(const LookUp& what) {
    auto answer = loop_.run_until_done(patient_->look_up(*account_, what));
    EXPECT_TRUE(answer.has_value());
    return answer ? *std::move(answer) : LookUpAnswer{};
  }
  // An approved charge's transaction.
  std::string approved(Operation operation, const std::string& reference) {
    const PayAnswer answer = pay(operation, reference, reference);
    EXPECT_EQ(answer.outcome, OperationOutcome::approved);
    EXPECT_FALSE(answer.processor_reference.empty());
    return answer.processor_reference;
  }
  // Runs `body` for each fault, before and after the effect.
  template <class Body>
  void with_each_fault(Body body) {
    for (const Fault fault : kFaults) {
      for (const bool after_effect : {false, true}) {
        if (!after_effect && needs_effect(fault)) continue;
        SCOPED_TRACE(std::string(name(fault)) + (after_effect ? ", after" : ", before") +
                     " the effect");
        body(fault, after_effect);
      }
    }
  }

  static inline const Currency kUsd = *Currency::parse("USD");
  static inline std::unique_ptr<ConnectorUnderTest> under_test_;
  async::Loop loop_;
  std::optional<cde::Account> account_;
  std::unique_ptr<cde::Connector> patient_;
  std::unique_ptr<cde::Connector> impatient_;
  std::vector<std::string> ids_;
};

TEST_P(ConnectorContract, AStoredCardPaysMoreThanOnce) {
  for (int i = 0; i < 3; ++i) {
    const std::string reference = fresh("att");
    approved(Operation::sale, reference);
    const Truth truth = under_test_->truth(reference);
    EXPECT_EQ(truth.charges, 1);
    EXPECT_EQ(truth.captured, kAmount);
  }
}

TEST_P(ConnectorContract, AnAuthorizationHoldsAndCaptureTakes) {
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::authorize, reference);
  EXPECT_EQ(under_test_->truth(reference).authorized, kAmount);
  EXPECT_EQ(under_test_->truth(reference).captured, 0);
  const PayAnswer captured = change(Operation::capture, transaction, kAmount, fresh("cap"));
  EXPECT_EQ(captured.outcome, OperationOutcome::approved);
  EXPECT_EQ(captured.processor_reference, transaction);
  EXPECT_EQ(under_test_->truth(reference).captured, kAmount);
}

TEST_P(ConnectorContract, CaptureTakesAPartAndNoMore) {
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::authorize, reference);
  EXPECT_EQ(change(Operation::capture, transaction, kAmount + 1, fresh("cap")).outcome,
            OperationOutcome::failed);
  EXPECT_EQ(change(Operation::capture, transaction, 500, fresh("cap")).outcome,
            OperationOutcome::approved);
  EXPECT_NE(change(Operation::capture, transaction, 500, fresh("cap")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).captured, 500);
}

TEST_P(ConnectorContract, CaptureWithoutAnAmountTakesAll) {
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::authorize, reference);
  EXPECT_EQ(change(Operation::capture, transaction, std::nullopt, fresh("cap")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).captured, kAmount);
}

TEST_P(ConnectorContract, VoidReleasesAndEndsIt) {
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::authorize, reference);
  EXPECT_EQ(change(Operation::void_, transaction, std::nullopt, fresh("void")).outcome,
            OperationOutcome::approved);
  EXPECT_TRUE(under_test_->truth(reference).voided);
  EXPECT_NE(change(Operation::capture, transaction, kAmount, fresh("cap")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).captured, 0);
  // What was taken is refunded, not voided.
  const std::string taken = fresh("att");
  const std::string sale = approved(Operation::sale, taken);
  EXPECT_NE(change(Operation::void_, sale, std::nullopt, fresh("void")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(taken).captured, kAmount);
}

TEST_P(ConnectorContract, RefundsGiveBackPartByPartAndNoMore) {
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::sale, reference);
  const PayAnswer first = change(Operation::refund, transaction, 99, fresh("ref"));
  EXPECT_EQ(first.outcome, OperationOutcome::approved);
  EXPECT_NE(first.processor_reference, transaction);  // a refund has a reference of its own
  EXPECT_NE(change(Operation::refund, transaction, kAmount - 98, fresh("ref")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).refunded, 99);
  EXPECT_EQ(change(Operation::refund, transaction, std::nullopt, fresh("ref")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).refunded, kAmount);
}

TEST_P(ConnectorContract, TheSameKeyActsOnce) {
  const std::string reference = fresh("att");
  const PayAnswer first = pay(Operation::sale, reference, "k" + reference);
  EXPECT_EQ(first.outcome, OperationOutcome::approved);
  EXPECT_EQ(pay(Operation::sale, reference, "k" + reference), first);
  EXPECT_EQ(pay(Operation::sale, reference, "k" + reference, true), first);
  EXPECT_EQ(under_test_->truth(reference).charges, 1);
  const std::string key = fresh("ref");
  const PayAnswer refund = change(Operation::refund, first.processor_reference, 99, key);
  EXPECT_EQ(refund.outcome, OperationOutcome::approved);
  EXPECT_EQ(change(Operation::refund, first.processor_reference, 99, key), refund);
  EXPECT_EQ(change(Operation::refund, first.processor_reference, 99, key, true), refund);
  EXPECT_EQ(under_test_->truth(reference).refunded, 99);
}

TEST_P(ConnectorContract, AKeyWithAnotherRequestIsNeverAnApproval) {
  const std::string reference = fresh("att");
  EXPECT_EQ(pay(Operation::sale, reference, reference).outcome, OperationOutcome::approved);
  const std::string another = fresh("att");
  EXPECT_NE(pay(Operation::sale, another, reference, false, nullptr, kAmount + 1).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(another).charges, 0);
}

TEST_P(ConnectorContract, ADeclineHasItsClassAndTakesNothing) {
  for (const auto& [number, decline_class] : under_test_->declined_when_stored()) {
    SCOPED_TRACE(number);
    const StoredCard refused = store(number, fresh("key"), *patient_);
    EXPECT_EQ(refused.outcome, OperationOutcome::declined);
    EXPECT_TRUE(refused.ids.empty());
    ASSERT_TRUE(refused.decline.has_value());
    EXPECT_EQ(refused.decline->decline_class, decline_class);
    EXPECT_TRUE(payments::is_decline_code(refused.decline->code));
  }
  for (const auto& [number, decline_class] : under_test_->declined_when_charged()) {
    SCOPED_TRACE(number);
    ids_ = store(number, fresh("key"), *patient_).ids;
    ASSERT_FALSE(ids_.empty());
    const std::string reference = fresh("att");
    const PayAnswer declined = pay(Operation::sale, reference, reference);
    EXPECT_EQ(declined.outcome, OperationOutcome::declined);
    ASSERT_TRUE(declined.decline.has_value());
    EXPECT_EQ(declined.decline->decline_class, decline_class);
    EXPECT_EQ(under_test_->truth(reference).charges, 0);
    // A repeat hears the same: the key stands for it.
    EXPECT_EQ(pay(Operation::sale, reference, reference, true).outcome, OperationOutcome::declined);
  }
}

TEST_P(ConnectorContract, ALostAnswerToAChargeIsUnknownAndSettlesToOneCharge) {
  for (const Operation operation : {Operation::sale, Operation::authorize}) {
    with_each_fault([&](Fault fault, bool after_effect) {
      stored_card();
      const std::string reference = fresh("att");
      under_test_->fail_next(Request::charge, fault, after_effect);
      const PayAnswer lost = pay(operation, reference, reference, false, &impatient());
      EXPECT_EQ(lost.outcome, OperationOutcome::unknown);
      EXPECT_LE(under_test_->truth(reference).charges, 1);
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
    const std::string held = fresh("att");
    const std::string transaction = approved(Operation::authorize, held);
    const std::string capture = fresh("cap");
    under_test_->fail_next(Request::capture, fault, after_effect);
    EXPECT_EQ(change(Operation::capture, transaction, 500, capture, false, &impatient()).outcome,
              OperationOutcome::unknown);
    EXPECT_EQ(change(Operation::capture, transaction, 500, capture, true).outcome,
              OperationOutcome::approved);
    EXPECT_EQ(under_test_->truth(held).captured, 500);

    const std::string refund = fresh("ref");
    under_test_->fail_next(Request::refund, fault, after_effect);
    EXPECT_EQ(change(Operation::refund, transaction, 99, refund, false, &impatient()).outcome,
              OperationOutcome::unknown);
    EXPECT_EQ(change(Operation::refund, transaction, 99, refund, true).outcome,
              OperationOutcome::approved);
    EXPECT_EQ(under_test_->truth(held).refunded, 99);

    const std::string other = fresh("att");
    const std::string released = approved(Operation::authorize, other);
    const std::string key = fresh("void");
    under_test_->fail_next(Request::void_, fault, after_effect);
    EXPECT_EQ(change(Operation::void_, released, std::nullopt, key, false, &impatient()).outcome,
              OperationOutcome::unknown);
    EXPECT_EQ(change(Operation::void_, released, std::nullopt, key, true).outcome,
              OperationOutcome::approved);
    EXPECT_TRUE(under_test_->truth(other).voided);
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

TEST_P(ConnectorContract, WhatASearchDoesNotFindYetIsUnknown) {
  if (!under_test_->can_search()) GTEST_SKIP() << "this processor has no search";
  const LookUpAnswer young = look_up({.reference = fresh("att"), .age = 0s});
  EXPECT_EQ(young.outcome, OperationOutcome::unknown);
}

TEST_P(ConnectorContract, LookUpShowsEveryStateAndRefund) {
  const std::string held = fresh("att");
  const std::string transaction = approved(Operation::authorize, held);
  const auto now = [&] { return look_up({.reference = held, .processor_reference = transaction}); };
  EXPECT_EQ(now().status, Status::authorized);
  EXPECT_EQ(now().amount, kAmount);
  EXPECT_EQ(now().amount_captured, 0);
  EXPECT_EQ(change(Operation::capture, transaction, 700, fresh("cap")).outcome,
            OperationOutcome::approved);
  const std::string first = fresh("ref");
  const std::string second = fresh("ref");
  EXPECT_EQ(change(Operation::refund, transaction, 200, first).outcome, OperationOutcome::approved);
  EXPECT_EQ(change(Operation::refund, transaction, 100, second).outcome,
            OperationOutcome::approved);
  const LookUpAnswer answer = now();
  EXPECT_EQ(answer.outcome, OperationOutcome::approved);
  EXPECT_EQ(answer.status, Status::captured);
  EXPECT_EQ(answer.processor_reference, transaction);
  EXPECT_EQ(answer.amount_captured, 700);
  EXPECT_EQ(answer.amount_refunded, 300);
  ASSERT_EQ(answer.refunds.size(), 2U);
  std::int64_t sum = 0;
  for (const auto& refund : answer.refunds) {
    EXPECT_TRUE(refund.reference == first || refund.reference == second);
    EXPECT_EQ(refund.outcome, OperationOutcome::approved);
    sum += refund.amount;
  }
  EXPECT_EQ(sum, 300);
  // Under another reference it is not this payment.
  EXPECT_EQ(look_up({.reference = fresh("att"), .processor_reference = transaction}).outcome,
            OperationOutcome::unknown);

  const std::string released = fresh("att");
  const std::string gone = approved(Operation::authorize, released);
  EXPECT_EQ(change(Operation::void_, gone, std::nullopt, fresh("void")).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(look_up({.reference = released, .processor_reference = gone}).status, Status::voided);
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

TEST_P(ConnectorContract, ARemovedCardPaysNoMore) {
  const std::vector<std::string> ids = stored_card();
  for (int i = 0; i < 2; ++i) {  // again: nothing changes
    const auto removed = loop_.run_until_done(patient_->remove(*account_, ids));
    ASSERT_TRUE(removed.has_value());
    EXPECT_EQ(*removed, OperationOutcome::approved);
  }
  // Said so that the card can be put there anew: nothing happened, for want of the stored card.
  const std::string reference = fresh("att");
  EXPECT_EQ(pay(Operation::sale, reference, reference), payments::processor_token_unknown());
  const std::string held = fresh("att");
  EXPECT_EQ(pay(Operation::authorize, held, held), payments::processor_token_unknown());
  EXPECT_EQ(under_test_->truth(reference).charges + under_test_->truth(held).charges, 0);
}

TEST_P(ConnectorContract, ARefusedCredentialIsAFailureOfConfiguration) {
  auto refused = under_test_->refused_account();
  if (!refused) GTEST_SKIP() << "the stand-in takes any credential";
  stored_card();
  account_ = *std::move(refused);
  const std::string reference = fresh("att");
  const PayAnswer failed = pay(Operation::sale, reference, reference);
  EXPECT_EQ(failed.outcome, OperationOutcome::failed);
  ASSERT_TRUE(failed.decline.has_value());
  EXPECT_EQ(failed.decline->decline_class, payments::DeclineClass::configuration);
  // Of an earlier try it says nothing.
  EXPECT_EQ(pay(Operation::sale, reference, reference, true).outcome, OperationOutcome::unknown);
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

TEST_P(ConnectorContract, AmountsFollowTheCurrencysMinorUnit) {
  for (const std::string_view code : {"USD", "JPY", "KWD"}) {
    SCOPED_TRACE(code);
    const std::string reference = fresh("att");
    const Charge charge{.card = stored_card(),
                        .money = {5000, *Currency::parse(code)},
                        .reference = reference,
                        .idempotency_key = reference,
                        .initiator = payments::Initiator::merchant,
                        .settle = false};
    const auto answer = loop_.run_until_done(patient_->sale(*account_, charge));
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->outcome, OperationOutcome::approved);
    EXPECT_EQ(under_test_->truth(reference).captured, 5000);
    EXPECT_EQ(look_up({.reference = reference, .processor_reference = answer->processor_reference})
                  .amount_captured,
              5000);
  }
}

TEST_P(ConnectorContract, NothingStaysInTheSecretArena) {
  approved(Operation::sale, fresh("att"));
  const std::size_t before = secret_memory_used_bytes();
  ids_.clear();
  approved(Operation::sale, fresh("att"));
  EXPECT_EQ(secret_memory_used_bytes(), before);
}

INSTANTIATE_TEST_SUITE_P(Stripe, ConnectorContract,
                         testing::Values(Named{"Stripe", &make_stripe_under_test}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace strongroom::test

// The contract suite of all connectors. A case says what a merchant must be able to rely on; what
// really happened is asked of the processor's stand-in, not of the connector.
#include "base/log.h"
#include "connector_contract_fixture.h"
#include "stripe_under_test.h"

namespace strongroom::test {
namespace {

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
  EXPECT_EQ(under_test_->truth(taken).refunded, 0);
  EXPECT_FALSE(under_test_->truth(taken).voided);
  // And what is only held is voided, not refunded.
  const std::string held = fresh("att");
  const std::string authorization = approved(Operation::authorize, held);
  EXPECT_NE(change(Operation::refund, authorization, std::nullopt, fresh("ref")).outcome,
            OperationOutcome::approved);
  EXPECT_FALSE(under_test_->truth(held).voided);
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
  if (!may_repeat()) GTEST_SKIP() << "nobody may repeat here";
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

// As when the first answer is on its way yet: to look before one acts is not enough.
TEST_P(ConnectorContract, TheSameKeyTwiceAtOnceActsOnce) {
  if (!may_repeat()) GTEST_SKIP() << "nobody may repeat here";
  stored_card();
  const std::string reference = fresh("att");
  const LookUp opening{.reference = reference};  // two connections, so that both go out together
  ask_twice_at_once([&] { return patient_->look_up(*account_, opening); });
  const Charge charge{.card = stored_card(),
                      .money = {kAmount, kUsd},
                      .reference = reference,
                      .idempotency_key = reference};
  ask_twice_at_once([&] { return patient_->sale(*account_, charge); });
  EXPECT_EQ(under_test_->truth(reference).charges, 1);
  const PayAnswer paid = pay(Operation::sale, reference, reference, true);
  EXPECT_EQ(paid.outcome, OperationOutcome::approved);
  const std::string key = fresh("ref");
  const Change refund{.processor_reference = paid.processor_reference,
                      .amount = 99,
                      .currency = kUsd,
                      .reference = key,
                      .idempotency_key = key};
  ask_twice_at_once([&] { return patient_->refund(*account_, refund); });
  EXPECT_EQ(under_test_->truth(reference).refunded, 99);
}

TEST_P(ConnectorContract, AKeyWithAnotherRequestIsNeverAnApproval) {
  if (!may_repeat()) GTEST_SKIP() << "nobody may repeat here";
  const std::string reference = fresh("att");
  const std::string transaction = approved(Operation::authorize, reference);
  EXPECT_NE(pay(Operation::authorize, reference, reference, false, nullptr, kAmount + 1).outcome,
            OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).charges, 1);
  const std::string key = fresh("cap");
  EXPECT_EQ(change(Operation::capture, transaction, 500, key).outcome, OperationOutcome::approved);
  EXPECT_NE(change(Operation::capture, transaction, 600, key).outcome, OperationOutcome::approved);
  EXPECT_EQ(under_test_->truth(reference).captured, 500);
}

TEST_P(ConnectorContract, AKeyIsItsMerchantsAndItsAccountsOwn) {
  const std::string key = fresh("key");
  const StoredCard first = store(under_test_->good_number(), key, *patient_);
  account_->merchant += "2";
  const StoredCard second = store(under_test_->good_number(), key, *patient_);
  account_->id += "2";
  const StoredCard third = store(under_test_->good_number(), key, *patient_);
  EXPECT_NE(first.ids, second.ids);
  EXPECT_NE(second.ids, third.ids);
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
    const LookUpAnswer seen = look_up(
        {.reference = reference, .processor_reference = declined.processor_reference, .age = 48h});
    if (!declined.processor_reference.empty() || under_test_->can_search()) {
      EXPECT_EQ(seen.outcome, OperationOutcome::declined);
      EXPECT_EQ(seen.status, Status::declined);
    }
    if (!may_repeat()) continue;
    // A repeat hears the same: the key stands for it.
    EXPECT_EQ(pay(Operation::sale, reference, reference, true).outcome, OperationOutcome::declined);
  }
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
  if (!may_repeat()) return;
  EXPECT_EQ(pay(Operation::sale, reference, reference, true).outcome, OperationOutcome::unknown);
}

TEST_P(ConnectorContract, AmountsFollowTheCurrencysMinorUnit) {
  for (const std::string_view code : {"USD", "JPY", "KWD"}) {
    SCOPED_TRACE(code);
    const Currency currency = *Currency::parse(code);
    const std::string reference = fresh("att");
    const Charge charge{.card = stored_card(),
                        .money = {5000, currency},
                        .reference = reference,
                        .idempotency_key = reference,
                        .initiator = payments::Initiator::merchant,
                        .settle = false};
    const PayAnswer held = sound(loop_.run_until_done(patient_->authorize(*account_, charge)));
    ASSERT_EQ(held.outcome, OperationOutcome::approved);
    EXPECT_EQ(under_test_->truth(reference).authorized, 5000);
    const auto move = [&](Operation operation, std::int64_t amount) {
      return change(operation, held.processor_reference, amount, fresh("chg"), false, nullptr,
                    currency);
    };
    EXPECT_EQ(move(Operation::capture, 1230).outcome, OperationOutcome::approved);
    EXPECT_EQ(under_test_->truth(reference).captured, 1230);
    EXPECT_EQ(move(Operation::refund, 450).outcome, OperationOutcome::approved);
    EXPECT_EQ(under_test_->truth(reference).refunded, 450);
    const LookUpAnswer seen =
        look_up({.reference = reference, .processor_reference = held.processor_reference});
    EXPECT_EQ(seen.amount, 5000);
    EXPECT_EQ(seen.amount_captured, 1230);
    EXPECT_EQ(seen.amount_refunded, 450);
  }
}

TEST_P(ConnectorContract, ACredentialIsOfItsFormAndProfile) {
  const auto check = [this](std::string_view credential, Profile profile) {
    const Result<void> checked = patient_->check_credential(as_bytes(credential), profile);
    return checked ? std::optional<ErrorCode>() : checked.error().code();
  };
  const std::string_view sound = as_text(account_->credential.reveal());
  EXPECT_EQ(check(sound, Profile::demo), std::nullopt);
  EXPECT_EQ(check(sound, Profile::production), ErrorCode::permission_denied);
  for (const std::string& wrong : {std::string(), std::string("x"), std::string(sound) + "\r\nX: y",
                                   std::string(sound) + '\0'}) {
    EXPECT_EQ(check(wrong, Profile::demo), ErrorCode::invalid_argument);
  }
}

TEST_P(ConnectorContract, ACardWithCodeAndNameIsStored) {
  CardFields full = card(under_test_->good_number());
  full.cvc = *cde::Cvc::parse("123");
  full.name = *SecretBytes::copy_of(as_bytes("O\"Brien & S\xc3\xb8n <50%> \\ +=\t{}"));
  ids_ = store(std::move(full), under_test_->good_number(), fresh("key"), *patient_).ids;
  approved(Operation::sale, fresh("att"));
}

TEST_P(ConnectorContract, NothingOfACardIsLogged) {
  log::set_level(log::Level::debug);
  testing::internal::CaptureStderr();
  const std::string number(under_test_->good_number());
  store(number, fresh("key"), *patient_);
  for (const Fault fault : {Fault::garbage, Fault::unavailable, Fault::reset}) {
    under_test_->fail_next(Request::first_of_store, fault, true);
    store(number, fresh("key"), *patient_);
  }
  for (const auto& declined : under_test_->declined_when_stored()) {
    store(declined.number, fresh("key"), *patient_);
  }
  const std::string told = testing::internal::GetCapturedStderr();
  log::set_level(log::Level::info);
  EXPECT_EQ(told.find(number), std::string::npos);
  EXPECT_EQ(told.find("\"masked\":true"), std::string::npos);
}

TEST_P(ConnectorContract, NothingStaysInTheSecretArena) {
  approved(Operation::sale, fresh("att"));
  const std::size_t before = secret_memory_used_bytes();
  ids_.clear();
  approved(Operation::sale, fresh("att"));
  // A stand-in in this process may hold the last request for a moment yet.
  for (int i = 0; i < 1000 && secret_memory_used_bytes() > before; ++i) {
    loop_.run_until_done(loop_.sleep_for(1ms));
  }
  EXPECT_LE(secret_memory_used_bytes(), before);
}

INSTANTIATE_TEST_SUITE_P(Stripe, ConnectorContract,
                         testing::Values(Named{"Stripe", &make_stripe_under_test}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace strongroom::test

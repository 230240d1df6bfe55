// The fixture of the connectors' contract suite: a connector beside its processor's stand-in, and
// the calls that the cases are made of.
#pragma once

#include <gtest/gtest.h>

#include <chrono>

#include "base/encoding.h"
#include "connector_contract.h"

namespace strongroom::test {

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
static_assert(kImpatience < kSlowness);
constexpr std::int64_t kAmount = 1099;

struct Named {
  std::string_view name;
  MakeConnectorUnderTest make;
  friend void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }
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
  // What every answer keeps, whatever it says.
  static void expect_sound(OperationOutcome outcome,
                           const std::optional<payments::Decline>& decline) {
    EXPECT_TRUE(decline.has_value() || outcome != OperationOutcome::declined);
    EXPECT_FALSE(decline.has_value() && outcome == OperationOutcome::approved);
    EXPECT_TRUE(!decline || payments::is_decline_code(decline->code));
  }
  StoredCard store(std::string_view number, const std::string& key, cde::Connector& connector) {
    return store(card(number), number, key, connector);
  }
  StoredCard store(CardFields fields, std::string_view number, const std::string& key,
                   cde::Connector& connector) {
    auto stored = loop_.run_until_done(connector.store(*account_, std::move(fields), key));
    EXPECT_TRUE(stored.has_value());
    if (!stored) return {};
    expect_sound(stored->outcome, stored->decline);
    EXPECT_EQ(stored->ids.empty(), stored->outcome != OperationOutcome::approved);
    EXPECT_LE(stored->ids.size(), cde::kProcessorIdsMax);
    for (const std::string& id : stored->ids) {
      EXPECT_TRUE(!id.empty() && id.size() <= cde::kProcessorIdBytesMax);
      EXPECT_EQ(id.find(number), std::string::npos);
    }
    return *std::move(stored);
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
    return sound(answer);
  }
  PayAnswer change(Operation operation, const std::string& transaction,
                   std::optional<std::int64_t> amount, const std::string& key, bool settle = false,
                   cde::Connector* connector = nullptr, const Currency& currency = kUsd) {
    const Change asked{.processor_reference = transaction,
                       .amount = amount,
                       .currency = currency,
                       .reference = key,
                       .idempotency_key = key,
                       .settle = settle};
    cde::Connector& used = connector == nullptr ? *patient_ : *connector;
    auto answer =
        loop_.run_until_done(operation == Operation::capture ? used.capture(*account_, asked)
                             : operation == Operation::void_ ? used.void_(*account_, asked)
                                                             : used.refund(*account_, asked));
    return sound(answer);
  }
  static PayAnswer sound(const Result<PayAnswer>& answer) {
    EXPECT_TRUE(answer.has_value());
    if (!answer) return {};
    expect_sound(answer->outcome, answer->decline);
    const std::string& reference = answer->processor_reference;
    if (!reference.empty() || answer->outcome == OperationOutcome::approved) {
      EXPECT_TRUE(payments::is_processor_reference(reference));
    }
    return *answer;
  }
  LookUpAnswer look_up(const LookUp& what, cde::Connector* connector = nullptr) {
    cde::Connector& used = connector == nullptr ? *patient_ : *connector;
    auto answer = loop_.run_until_done(used.look_up(*account_, what));
    EXPECT_TRUE(answer.has_value());
    return answer ? *std::move(answer) : LookUpAnswer{};
  }
  // A look-up of an approved charge tells what really happened to it.
  void expect_look_up_tells_the_truth(const std::string& reference,
                                      const std::string& transaction) {
    const LookUpAnswer seen = look_up({.reference = reference, .processor_reference = transaction});
    const Truth truth = under_test_->truth(reference);
    EXPECT_EQ(seen.outcome, OperationOutcome::approved);
    EXPECT_EQ(seen.amount_captured, truth.captured);
    EXPECT_EQ(seen.amount_refunded, truth.refunded);
    EXPECT_EQ(seen.status == Status::voided, truth.voided);
  }
  // Whether anybody is ever let repeat under a key: else lost answers are settled by look-ups.
  bool may_repeat() { return patient_->idempotency_window() > 0s; }
  // Asks twice at the same time, and waits for both answers.
  template <class Ask>
  void ask_twice_at_once(Ask ask) {
    int left = 2;
    const auto one = [](Ask& asked, int& waiting) -> async::Task<void> {
      static_cast<void>(co_await asked());
      --waiting;
    };
    async::spawn(one(ask, left));
    loop_.run_until_done(one(ask, left));
    while (left > 0) loop_.run_until_done(loop_.sleep_for(1ms));
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
    for (const Fault fault : kFaults) with_fault(fault, body);
  }
  // The same without those that a case must sit out.
  template <class Body>
  void with_each_quick_fault(Body body) {
    for (const Fault fault : kFaults) {
      if (fault != Fault::silence && fault != Fault::slow) with_fault(fault, body);
    }
  }
  template <class Body>
  void with_fault(Fault fault, Body body) {
    for (const bool after_effect : {false, true}) {
      if (!after_effect && needs_effect(fault)) continue;
      SCOPED_TRACE(std::string(name(fault)) + (after_effect ? ", after" : ", before") +
                   " the effect");
      body(fault, after_effect);
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

}  // namespace strongroom::test

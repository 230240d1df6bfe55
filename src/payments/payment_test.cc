#include "payments/payment.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace strongroom::payments {
namespace {

using enum OperationOutcome;
using View = ProcessorView::Status;
using wire::ProblemType;

constexpr std::int64_t kAmount = 1000;

Payment authorized() { return conclude(start(Operation::authorize, kAmount), approved); }
Payment captured(std::int64_t amount = kAmount) {
  return conclude(begin(authorized(), Operation::capture, amount), approved);
}
Payment refunded(std::int64_t amount) {
  return conclude(begin(captured(), Operation::refund, amount), approved);
}
Payment open(Payment payment, Operation operation, std::int64_t amount = kAmount) {
  return conclude(begin(payment, operation, amount), unknown);
}

TEST(PaymentTest, OutcomesOfTheFirstOperationGiveTheStatus) {
  const Payment held = start(Operation::authorize, kAmount);
  EXPECT_EQ(status(held), "pending");
  EXPECT_EQ(status(conclude(held, approved)), "authorized");
  EXPECT_EQ(status(conclude(held, declined)), "declined");
  EXPECT_EQ(status(conclude(held, failed)), "failed");
  EXPECT_EQ(status(conclude(held, unknown)), "unknown");
  EXPECT_EQ(status(conclude(conclude(held, unknown), approved)), "authorized");
  const Payment sale = conclude(start(Operation::sale, kAmount), approved);
  EXPECT_EQ(status(sale), "captured");
  EXPECT_EQ(sale.captured, kAmount);
}

TEST(PaymentTest, LaterOperationsGiveTheStatus) {
  EXPECT_EQ(status(captured()), "captured");
  EXPECT_EQ(status(captured(400)), "partially_captured");
  EXPECT_EQ(status(conclude(begin(authorized(), Operation::void_, kAmount), approved)), "voided");
  EXPECT_EQ(status(refunded(400)), "partially_refunded");
  EXPECT_EQ(status(refunded(kAmount)), "refunded");
  EXPECT_EQ(status(conclude(begin(captured(400), Operation::refund, 400), approved)), "refunded");
}

TEST(PaymentTest, ARefusedOperationLeavesThePaymentAsItWas) {
  for (const OperationOutcome outcome : {declined, failed}) {
    EXPECT_EQ(conclude(begin(authorized(), Operation::capture, 10), outcome), authorized());
    EXPECT_EQ(conclude(begin(authorized(), Operation::void_, kAmount), outcome), authorized());
    EXPECT_EQ(conclude(begin(captured(), Operation::refund, 10), outcome), captured());
  }
}

TEST(PaymentTest, CanBeginGivesTheAmountOrAllThatIsLeft) {
  EXPECT_EQ(can_begin(authorized(), Operation::capture, 400), 400);
  EXPECT_EQ(can_begin(authorized(), Operation::capture, std::nullopt), kAmount);
  EXPECT_EQ(can_begin(authorized(), Operation::void_, std::nullopt), kAmount);
  EXPECT_EQ(can_begin(refunded(400), Operation::refund, std::nullopt), 600);
  EXPECT_EQ(can_begin(refunded(400), Operation::refund, 600), 600);
}

TEST(PaymentTest, CanBeginRefusesWhatTheRulesForbid) {
  const std::optional<std::int64_t> rest;
  const Payment lost = open(authorized(), Operation::capture);
  const Payment voided = conclude(begin(authorized(), Operation::void_, kAmount), approved);
  const Payment refused = conclude(start(Operation::sale, kAmount), declined);
  const struct {
    Payment payment;
    Operation operation;
    std::optional<std::int64_t> amount;
    ProblemType type;
  } rows[] = {
      {authorized(), Operation::void_, 10, ProblemType::invalid_value},
      {authorized(), Operation::capture, 0, ProblemType::invalid_value},
      {captured(), Operation::refund, -1, ProblemType::invalid_value},
      {start(Operation::sale, kAmount), Operation::refund, rest, ProblemType::payment_state},
      {lost, Operation::capture, rest, ProblemType::payment_state},
      {lost, Operation::void_, rest, ProblemType::payment_state},
      {authorized(), Operation::refund, rest, ProblemType::payment_state},
      {authorized(), Operation::authorize, rest, ProblemType::payment_state},
      {authorized(), Operation::sale, rest, ProblemType::payment_state},
      {captured(400), Operation::capture, rest, ProblemType::payment_state},  // a second capture
      {captured(400), Operation::void_, rest, ProblemType::payment_state},
      {voided, Operation::capture, rest, ProblemType::payment_state},
      {refused, Operation::capture, rest, ProblemType::payment_state},
      {refused, Operation::refund, rest, ProblemType::payment_state},
      {refunded(kAmount), Operation::refund, 1, ProblemType::payment_state},
      {authorized(), Operation::capture, kAmount + 1, ProblemType::payment_state},
      {refunded(400), Operation::refund, 601, ProblemType::payment_state},
      {captured(400), Operation::refund, 401, ProblemType::payment_state},
      {authorized(), Operation::capture, std::numeric_limits<std::int64_t>::max(),
       ProblemType::payment_state},
  };
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const auto allowed = can_begin(rows[i].payment, rows[i].operation, rows[i].amount);
    ASSERT_FALSE(allowed) << i;
    EXPECT_EQ(allowed.error().type, rows[i].type) << i;
  }
}

TEST(PaymentTest, ARefusalNamesTheStatus) {
  const Payment voided = conclude(begin(authorized(), Operation::void_, kAmount), approved);
  const Payment sale = start(Operation::sale, kAmount);
  for (const Payment& payment :
       {sale, conclude(sale, unknown), conclude(sale, declined), conclude(sale, failed),
        authorized(), voided, captured(), captured(400), refunded(400), refunded(kAmount)}) {
    for (const Operation operation : {Operation::capture, Operation::void_, Operation::refund}) {
      const auto allowed = can_begin(payment, operation, std::nullopt);
      if (allowed) continue;
      EXPECT_TRUE(allowed.error().detail.text().contains(status(payment)))
          << status(payment) << ": " << allowed.error().detail.text();
    }
  }
  EXPECT_EQ(can_begin(authorized(), Operation::capture, kAmount + 1).error().pointer.text(),
            "#/amount");
  EXPECT_EQ(can_begin(refunded(400), Operation::refund, 601).error().pointer.text(), "#/amount");
}

TEST(PaymentTest, SettleTakesTheStateThatTheProcessorShows) {
  const struct {
    Payment payment;
    ProcessorView view;
    OperationOutcome outcome;
    std::string_view status;
  } rows[] = {
      {start(Operation::authorize, kAmount), {View::authorized, kAmount}, approved, "authorized"},
      {start(Operation::authorize, kAmount), {View::declined, kAmount}, declined, "declined"},
      {start(Operation::authorize, kAmount), {View::failed, kAmount}, failed, "failed"},
      {start(Operation::authorize, kAmount), {View::absent}, failed, "failed"},
      {start(Operation::authorize, kAmount), {View::voided, kAmount}, approved, "voided"},
      {start(Operation::sale, kAmount), {View::captured, kAmount, kAmount}, approved, "captured"},
      {start(Operation::sale, kAmount), {View::voided, kAmount}, failed, "voided"},
      {start(Operation::sale, kAmount), {View::declined, kAmount}, declined, "declined"},
      {start(Operation::sale, kAmount), {View::absent}, failed, "failed"},
      {open(authorized(), Operation::capture, 400),
       {View::captured, kAmount, 400},
       approved,
       "partially_captured"},
      {open(authorized(), Operation::capture), {View::authorized, kAmount}, failed, "authorized"},
      {open(authorized(), Operation::capture), {View::voided, kAmount}, failed, "voided"},
      {open(authorized(), Operation::void_), {View::voided, kAmount}, approved, "voided"},
      {open(authorized(), Operation::void_), {View::authorized, kAmount}, failed, "authorized"},
      {open(authorized(), Operation::void_),
       {View::captured, kAmount, kAmount},
       failed,
       "captured"},
      {open(captured(), Operation::refund, 400),
       {View::captured, kAmount, kAmount, 400, approved},
       approved,
       "partially_refunded"},
      {open(captured(), Operation::refund, 400),
       {View::captured, kAmount, kAmount, 0, std::nullopt},
       failed,
       "captured"},
      {open(captured(), Operation::refund, 400),
       {View::captured, kAmount, kAmount, 0, declined},
       declined,
       "captured"},
      // Somebody gave back 100 past us.
      {open(captured(), Operation::refund, 400),
       {View::captured, kAmount, kAmount, 100, failed},
       failed,
       "partially_refunded"},
      {open(captured(), Operation::refund, 400),
       {View::captured, kAmount, kAmount, 0, unknown},
       unknown,
       "unknown"},
  };
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const auto settled = settle(rows[i].payment, rows[i].view);
    ASSERT_TRUE(settled) << i;
    EXPECT_EQ(settled->outcome, rows[i].outcome) << i;
    EXPECT_EQ(status(settled->payment), rows[i].status) << i;
    EXPECT_TRUE(is_sound(settled->payment)) << i;
  }
}

TEST(PaymentTest, SettleRefusesWhatCannotBe) {
  const struct {
    Payment payment;
    ProcessorView view;
  } rows[] = {
      {start(Operation::sale, kAmount), {View::captured, kAmount + 1, kAmount}},
      {start(Operation::sale, kAmount), {View::captured, kAmount, kAmount + 1}},
      {start(Operation::sale, kAmount), {View::captured, kAmount, 0}},
      {start(Operation::sale, kAmount), {View::authorized, kAmount, 10}},
      {start(Operation::sale, kAmount), {View::captured, kAmount, 500, 501}},
      {start(Operation::sale, kAmount), {View::absent, 0, 10}},
      {open(authorized(), Operation::capture), {View::absent}},
      {open(authorized(), Operation::capture), {View::declined, kAmount}},
      {open(captured(400), Operation::refund, 10), {View::captured, kAmount, 300}},
      {open(captured(), Operation::refund, 10), {View::voided, kAmount}},
      {open(refunded(400), Operation::refund, 10), {View::captured, kAmount, kAmount, 300}},
      {open(refunded(400), Operation::refund, 10),
       {View::captured, kAmount, kAmount, 405, approved}},
  };
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const auto settled = settle(rows[i].payment, rows[i].view);
    ASSERT_FALSE(settled) << i;
    EXPECT_EQ(settled.error().code(), ErrorCode::corrupt) << i;
  }
}

TEST(PaymentTest, SoundnessSeesEachBrokenRule) {
  EXPECT_TRUE(is_sound(authorized()));
  EXPECT_TRUE(is_sound(start(Operation::sale, 1)));
  const auto broken = [](Payment payment, auto change) {
    change(payment);
    return !is_sound(payment);
  };
  EXPECT_TRUE(broken(captured(), [](Payment& p) { p.captured = kAmount + 1; }));
  EXPECT_TRUE(broken(captured(), [](Payment& p) { p.refunded = kAmount + 1; }));
  EXPECT_TRUE(broken(captured(), [](Payment& p) { p.refunded = -1; }));
  EXPECT_TRUE(broken(captured(), [](Payment& p) { p.stage = Stage::authorized; }));
  EXPECT_TRUE(broken(captured(), [](Payment& p) { p.captured = 0; }));
  EXPECT_TRUE(broken(authorized(), [](Payment& p) { p.stage = Stage::none; }));
  EXPECT_TRUE(broken(authorized(), [](Payment& p) { p.amount = 0; }));
  EXPECT_TRUE(broken(open(authorized(), Operation::capture),
                     [](Payment& p) { p.open->amount = kAmount + 1; }));
  EXPECT_TRUE(broken(open(authorized(), Operation::capture),
                     [](Payment& p) { p.open->operation = Operation::sale; }));
}

TEST(PaymentTest, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(Stage::failed); ++i) {
    EXPECT_EQ(parse_stage(name(static_cast<Stage>(i))), static_cast<Stage>(i));
  }
  for (int i = 0; i <= static_cast<int>(View::failed); ++i) {
    EXPECT_EQ(parse_processor_status(name(static_cast<View>(i))), static_cast<View>(i));
  }
  EXPECT_FALSE(parse_stage("pending"));
  EXPECT_FALSE(parse_processor_status("refunded"));
}

}  // namespace
}  // namespace strongroom::payments

#include "simulators/faults.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace strongroom::simulators {
namespace {

using wire::ProblemType;

std::expected<Fault, wire::Problem> parse(std::string_view text) {
  return parse_fault(as_bytes(text));
}

TEST(FaultsTest, ParseReadsAWholeFault) {
  const auto fault = parse(
      R"({"path":"/v1/refunds","kind":"slow","when":"before_effect","count":3,"delay_ms":20})");
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->path, "/v1/refunds");
  EXPECT_EQ(fault->kind, FaultKind::slow);
  EXPECT_EQ(fault->when, FaultTime::before_effect);
  EXPECT_EQ(fault->count, 3u);
  EXPECT_EQ(fault->delay, std::chrono::milliseconds(20));
}

TEST(FaultsTest, ParseKnowsTheDefaults) {
  const auto fault = parse(R"({"path":"/v1/refunds","kind":"500"})");
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->when, FaultTime::after_effect);
  EXPECT_EQ(fault->count, 1u);
}

TEST(FaultsTest, ParseRefusesWhatIsNoFault) {
  struct Row {
    std::string_view text;
    ProblemType type;
    std::string_view pointer;
  };
  for (const Row& row : {
           Row{R"({)", ProblemType::malformed_json, ""},
           Row{R"([])", ProblemType::wrong_type, "#"},
           Row{R"({"kind":"500"})", ProblemType::missing_field, "#/path"},
           Row{R"({"path":"v1","kind":"500"})", ProblemType::invalid_value, "#/path"},
           Row{R"({"path":"/v1"})", ProblemType::missing_field, "#/kind"},
           Row{R"({"path":"/v1","kind":"fire"})", ProblemType::invalid_value, "#/kind"},
           Row{R"({"path":"/v1","kind":"500","when":"now"})", ProblemType::invalid_value, "#/when"},
           Row{R"({"path":"/v1","kind":"huge","when":"before_effect"})", ProblemType::invalid_value,
               "#/when"},
           Row{R"({"path":"/v1","kind":"500","count":0})", ProblemType::invalid_value, "#/count"},
           Row{R"({"path":"/v1","kind":"slow","delay_ms":-1})", ProblemType::invalid_value,
               "#/delay_ms"},
           Row{R"({"path":"/v1","kind":"decline"})", ProblemType::invalid_value, "#/decline_code"},
           Row{R"({"path":"/v1","kind":"500","decline_code":"lost_card"})",
               ProblemType::invalid_value, "#/decline_code"},
           Row{R"({"path":"/v1","kind":"decline","decline_code":"Lost"})",
               ProblemType::invalid_value, "#/decline_code"},
           Row{R"({"path":"/v1","kind":"500","else":1})", ProblemType::unknown_field, ""},
       }) {
    const auto fault = parse(row.text);
    ASSERT_FALSE(fault.has_value()) << row.text;
    EXPECT_EQ(fault.error().type, row.type) << row.text;
    if (!row.pointer.empty()) {
      EXPECT_EQ(fault.error().pointer.text(), row.pointer) << row.text;
    }
  }
}

TEST(FaultsTest, TakeUsesAFaultUpByItsCount) {
  FaultPlan plan;
  ASSERT_TRUE(plan.add({.path = "/v1/refunds", .count = 2}).has_value());
  EXPECT_FALSE(plan.take("/v1/customers").has_value());
  EXPECT_TRUE(plan.take("/v1/refunds").has_value());
  EXPECT_TRUE(plan.take("/v1/refunds").has_value());
  EXPECT_FALSE(plan.take("/v1/refunds").has_value());
}

TEST(FaultsTest, TakeGivesTheOldestThatFits) {
  FaultPlan plan;
  ASSERT_TRUE(plan.add({.path = "/v1/refunds", .kind = FaultKind::reset}).has_value());
  ASSERT_TRUE(plan.add({.path = "/v1/refunds", .kind = FaultKind::garbage}).has_value());
  EXPECT_EQ(plan.take("/v1/refunds")->kind, FaultKind::reset);
  EXPECT_EQ(plan.take("/v1/refunds")->kind, FaultKind::garbage);
}

TEST(FaultsTest, StarFitsOneSegment) {
  FaultPlan plan;
  ASSERT_TRUE(plan.add({.path = "/v1/payment_intents/*/capture", .count = 9}).has_value());
  EXPECT_TRUE(plan.take("/v1/payment_intents/pi_1/capture").has_value());
  EXPECT_FALSE(plan.take("/v1/payment_intents/pi_1/cancel").has_value());
  EXPECT_FALSE(plan.take("/v1/payment_intents/pi_1").has_value());
  EXPECT_FALSE(plan.take("/v1/payment_intents/pi_1/capture/again").has_value());
  EXPECT_FALSE(plan.take("/v1/payment_intents/capture").has_value());
}

TEST(FaultsTest, ClearTellsWhatWasUnused) {
  FaultPlan plan;
  ASSERT_TRUE(plan.add({.path = "/a", .count = 2}).has_value());
  ASSERT_TRUE(plan.add({.path = "/b", .count = 3}).has_value());
  ASSERT_TRUE(plan.take("/a").has_value());
  EXPECT_EQ(plan.clear(), 4u);
  EXPECT_EQ(plan.clear(), 0u);
  EXPECT_FALSE(plan.take("/b").has_value());
}

TEST(FaultsTest, AddEndsAtItsBound) {
  FaultPlan plan;
  for (std::size_t i = 0; i < FaultPlan::kFaultsMax; ++i) {
    ASSERT_TRUE(plan.add({.path = "/a"}).has_value());
  }
  EXPECT_EQ(plan.add({.path = "/a"}).error().code(), ErrorCode::exhausted);
}

}  // namespace
}  // namespace strongroom::simulators

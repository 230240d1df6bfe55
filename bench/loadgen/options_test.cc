#include "loadgen/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace strongroom::bench {
namespace {

std::variant<Options, int> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "loadgen");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(OptionsTest, DefaultsAreTheHeadlineMeasurement) {
  const auto parsed = parse({"--state", "s.json"});
  const LoadPlan& plan = std::get<Options>(parsed).plan;
  EXPECT_EQ(plan.target, Target::vault);
  EXPECT_EQ(plan.mix, Mix::new_cards);
  EXPECT_EQ(plan.connections, 64U);
  EXPECT_EQ(plan.rate, std::nullopt);
  EXPECT_EQ(plan.duration, std::chrono::seconds(5));
}

TEST(OptionsTest, TakesEachOption) {
  const auto parsed =
      parse({"--state",   "s.json", "--target", "edge",      "--mix",  "lookup",   "--connections",
             "16",        "--rate", "2500.5",   "--seconds", "0.5",    "--warmup", "0",
             "--threads", "2",      "--first",  "77",        "--pool", "9",        "--json"});
  const auto& options = std::get<Options>(parsed);
  EXPECT_EQ(options.plan.target, Target::edge);
  EXPECT_EQ(options.plan.mix, Mix::lookups);
  EXPECT_EQ(options.plan.rate, 2500.5);
  EXPECT_EQ(options.plan.duration, std::chrono::milliseconds(500));
  EXPECT_EQ(options.plan.warmup, std::chrono::milliseconds(0));
  EXPECT_EQ(options.plan.first_card, 77U);
  EXPECT_EQ(options.plan.pool, 9U);
  EXPECT_TRUE(options.json);
}

TEST(OptionsTest, RefusesWrongUsage) {
  const std::vector<std::vector<const char*>> wrong{
      {},
      {"--state"},
      {"--state", "s", "--target", "moon"},
      {"--state", "s", "--mix", "old"},
      {"--state", "s", "--mix", "sale"},
      {"--state", "s", "--target", "processor"},
      {"--state", "s", "--mix", "resolve"},
      {"--state", "s", "--mix", "mixed", "--gateway-cert", "c"},
      {"--state", "s", "--mix", "hand-over", "--target", "edge", "--gateway-cert", "c",
       "--gateway-key", "k"},
      {"--state", "s", "--connections", "0"},
      {"--state", "s", "--rate", "0"},
      {"--state", "s", "--seconds", "0"},
      {"--state", "s", "--threads", "3", "--connections", "2"},
      {"--state", "s", "--threads", "3", "--pool", "2"},
      {"--state", "s", "--unknown"},
  };
  for (const auto& arguments : wrong) EXPECT_EQ(std::get<int>(parse(arguments)), 2);
}

TEST(OptionsTest, SalesGoThroughEdgedOrToTheProcessor) {
  for (const char* target : {"edge", "processor"}) {
    const auto parsed = parse({"--state", "s", "--mix", "sale", "--target", target});
    EXPECT_EQ(std::get<Options>(parsed).plan.mix, Mix::sales) << target;
  }
}

TEST(OptionsTest, GatewaydResolves) {
  const auto parsed = parse(
      {"--state", "s", "--mix", "hand-over", "--gateway-cert", "c.crt", "--gateway-key", "k.key"});
  const auto& options = std::get<Options>(parsed);
  EXPECT_EQ(options.plan.mix, Mix::handovers);
  EXPECT_EQ(options.gateway.certificate, "c.crt");
  EXPECT_EQ(options.gateway.key, "k.key");
}

TEST(OptionsTest, HelpEndsWell) { EXPECT_EQ(std::get<int>(parse({"--help"})), 0); }

}  // namespace
}  // namespace strongroom::bench

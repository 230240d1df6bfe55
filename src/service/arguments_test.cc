#include "service/arguments.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace strongroom::service {
namespace {

std::variant<Arguments, int> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "connectord");
  return parse_arguments(static_cast<int>(words.size()), words.data(), "connectord", "a test");
}

int status_of(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  return std::holds_alternative<int>(parsed) ? std::get<int>(parsed) : -1;
}

Arguments arguments_of(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  EXPECT_TRUE(std::holds_alternative<Arguments>(parsed));
  return std::holds_alternative<Arguments>(parsed) ? std::get<Arguments>(parsed) : Arguments{};
}

TEST(ArgumentsTest, ServesTheProgramsOwnInstanceByDefault) {
  const Arguments arguments = arguments_of({"--config", "strongroom.toml"});
  EXPECT_EQ(arguments.config_path, "strongroom.toml");
  EXPECT_EQ(arguments.instance, "connectord");
  EXPECT_EQ(arguments.action, Action::serve);
}

TEST(ArgumentsTest, TakesOneThingToDo) {
  EXPECT_EQ(arguments_of({"--config", "f", "--init"}).action, Action::init);
  EXPECT_EQ(arguments_of({"--config", "f", "--migrate"}).action, Action::migrate);
  EXPECT_EQ(arguments_of({"--config", "f", "--dump"}).action, Action::dump);
  EXPECT_EQ(arguments_of({"--config", "f", "--load"}).action, Action::load);
  EXPECT_EQ(arguments_of({"--config", "f", "--check-sandbox"}).action, Action::check_sandbox);
  EXPECT_EQ(status_of({"--config", "f", "--init", "--migrate"}), 2);
  EXPECT_EQ(status_of({"--config", "f", "--dump", "--load"}), 2);
}

TEST(ArgumentsTest, InstanceBelongsToTheProgram) {
  EXPECT_EQ(arguments_of({"--config", "f", "--instance", "connectord-stripe"}).instance,
            "connectord-stripe");
  for (const char* instance : {"vaultd", "connectord-", "connectordstripe", "connectord-../x",
                               "connectord-Stripe", "connectord.stripe", ""}) {
    EXPECT_EQ(status_of({"--config", "f", "--instance", instance}), 2) << instance;
  }
}

TEST(ArgumentsTest, HelpAndVersionEndTheRunWell) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(status_of({"--help"}), 0);
  const std::string help = testing::internal::GetCapturedStdout();
  for (const char* heading :
       {"NAME", "SYNOPSIS", "OPTIONS", "SIGNALS", "EXIT STATUS", "\n    3 ", "a test"}) {
    EXPECT_NE(help.find(heading), std::string::npos) << heading;
  }
  testing::internal::CaptureStdout();
  EXPECT_EQ(status_of({"--version"}), 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "connectord " SR_VERSION "\n");
}

TEST(ArgumentsTest, UsageErrorsAreSaidAndGiveTwo) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(status_of({}), 2);
  EXPECT_EQ(status_of({"--config"}), 2);
  EXPECT_EQ(status_of({"--config", "f", "--unknown"}), 2);
  EXPECT_EQ(status_of({"--config", "f", "stray"}), 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--config is required"), std::string::npos);
}

}  // namespace
}  // namespace strongroom::service

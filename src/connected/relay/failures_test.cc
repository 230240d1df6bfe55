// Failures of neighbors: what lasts is told once, with its cause and its times, and what blinks is
// not.
#include "connected/relay/failures.h"

#include <gtest/gtest.h>

#include "audit/testing/memory_recorder.h"
#include "base/testing/set_clock.h"

namespace strongroom::connected::relay {
namespace {

class FailuresTest : public ::testing::Test {
 protected:
  void pass(std::chrono::microseconds time) { clock_.now += time.count(); }

  strongroom::testing::SetClock clock_;
  crypto::SystemRandom random_;
  audit::testing::MemoryRecorder recorder_;
  Failures failures_{recorder_, random_, clock_};
};

TEST_F(FailuresTest, TellsBeginningAndEndOfWhatLasts) {
  const std::int64_t begun_us = clock_.now;
  failures_.tell("export:siem", "its sink takes nothing");
  pass(std::chrono::seconds(61));
  failures_.tell("export:siem", "its sink does not answer");
  failures_.tell("export:siem", "its sink does not answer");
  ASSERT_EQ(recorder_.entries.size(), 1);
  const audit::Entry begun = recorder_.entries[0];
  EXPECT_EQ(begun.event_type, audit::EventType::log_failure);
  EXPECT_EQ(begun.outcome, audit::Outcome::failed);
  EXPECT_EQ(begun.time_us, begun_us);
  EXPECT_EQ(begun.operation, "its sink does not answer");
  EXPECT_EQ(begun.resources, std::vector<std::string>{"export:siem"});
  pass(std::chrono::seconds(10));
  failures_.tell("export:siem", "");
  failures_.tell("export:siem", "");
  ASSERT_EQ(recorder_.entries.size(), 2);
  const audit::Entry& ended = recorder_.entries[1];
  EXPECT_EQ(ended.outcome, audit::Outcome::success);
  EXPECT_EQ(ended.time_us, clock_.now);
  EXPECT_EQ(ended.operation_id, begun.operation_id);
  EXPECT_EQ(ended.resources, begun.resources);
  EXPECT_TRUE(audit::parse_entry(audit::to_json(begun, "audit-relay")));
  EXPECT_TRUE(audit::parse_entry(audit::to_json(ended, "audit-relay")));
}

TEST_F(FailuresTest, ABlinkIsNotTold) {
  for (int i = 0; i < 3; ++i) {
    failures_.tell("witness:w1", "not reached");
    pass(std::chrono::seconds(59));
    failures_.tell("witness:w1", "not reached");
    failures_.tell("witness:w1", "");
  }
  EXPECT_TRUE(recorder_.entries.empty());
}

TEST_F(FailuresTest, EachControlFailsForItself) {
  failures_.tell("export:a", "its sink takes nothing");
  failures_.tell("export:b", "");
  pass(std::chrono::seconds(61));
  failures_.tell("export:a", "its sink takes nothing");
  failures_.tell("export:b", "its sink takes nothing");
  ASSERT_EQ(recorder_.entries.size(), 1);
  EXPECT_EQ(recorder_.entries[0].resources, std::vector<std::string>{"export:a"});
}

}  // namespace
}  // namespace strongroom::connected::relay

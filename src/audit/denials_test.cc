#include "audit/denials.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "audit/testing/memory_recorder.h"
#include "base/testing/set_clock.h"

namespace strongroom::audit {
namespace {

class DenialsTest : public ::testing::Test {
 protected:
  ~DenialsTest() override { close(); }
  Result<void> deny(std::string source, std::string user = {}) {
    return loop_.run_until_done(denials_.record({.source_ip = std::move(source),
                                                 .user = std::move(user),
                                                 .merchant_id = {},
                                                 .operation = "POST /v1/tickets",
                                                 .request_id = {}}));
  }
  void close() {
    if (!std::exchange(closed_, true)) loop_.run_until_done(denials_.close());
  }
  // Lets the sweeper run once after the clock was set.
  void sweep() { loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(600))); }

  async::Loop loop_;
  strongroom::testing::SetClock clock_;
  crypto::SystemRandom random_;
  testing::MemoryRecorder recorder_;
  Denials denials_{loop_, recorder_, random_, clock_};
  bool closed_ = false;
};

TEST_F(DenialsTest, FirstOfASourceIsWrittenAtOnce) {
  ASSERT_TRUE(deny("192.0.2.1"));
  ASSERT_EQ(recorder_.entries.size(), 1u);
  const Entry& entry = recorder_.entries[0];
  EXPECT_EQ(entry.event_type, EventType::access_denied);
  EXPECT_EQ(entry.outcome, Outcome::denied);
  EXPECT_EQ(entry.source_ip, "192.0.2.1");
  EXPECT_EQ(entry.operation, "POST /v1/tickets");
  EXPECT_EQ(entry.count, 1u);
}

TEST_F(DenialsTest, FloodOfASourceIsOneEntryPerMinute) {
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(deny("192.0.2.1"));
  EXPECT_EQ(recorder_.entries.size(), 1u);
  clock_.now += kDenialWindowUs;
  sweep();
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[1].count, 999u);
  ASSERT_TRUE(deny("192.0.2.1"));  // within the minute that the second entry began
  EXPECT_EQ(recorder_.entries.size(), 2u);
  close();
  ASSERT_EQ(recorder_.entries.size(), 3u);
  EXPECT_EQ(recorder_.entries[2].count, 1u);
}

TEST_F(DenialsTest, QuietMinuteLeavesNoTrace) {
  ASSERT_TRUE(deny("192.0.2.1"));
  clock_.now += kDenialWindowUs;
  sweep();
  EXPECT_EQ(recorder_.entries.size(), 1u);
  ASSERT_TRUE(deny("192.0.2.1"));
  EXPECT_EQ(recorder_.entries.size(), 2u);
}

TEST_F(DenialsTest, SourcesDoNotHideEachOther) {
  ASSERT_TRUE(deny("192.0.2.1"));
  ASSERT_TRUE(deny("192.0.2.2"));
  EXPECT_EQ(recorder_.entries.size(), 2u);
}

TEST_F(DenialsTest, WhoProvedWhoTheyAreGetsAnEntryEach) {
  ASSERT_TRUE(deny("192.0.2.1", "key_a"));
  ASSERT_TRUE(deny("192.0.2.1", "key_a"));
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[0].user, "key_a");
  EXPECT_FALSE(recorder_.entries[0].count);
}

TEST_F(DenialsTest, FloodOfAUserIsAFewEntriesAndACount) {
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(deny("192.0.2.1", "key_a"));
  ASSERT_EQ(recorder_.entries.size(), kDenialsOfUserMax);
  ASSERT_TRUE(deny("192.0.2.1", "key_b"));
  ASSERT_TRUE(deny("192.0.2.2", "key_a"));
  EXPECT_EQ(recorder_.entries.size(), kDenialsOfUserMax + 2) << "another is not hidden by it";
  clock_.now += kDenialWindowUs;
  sweep();
  ASSERT_EQ(recorder_.entries.size(), kDenialsOfUserMax + 3);
  EXPECT_EQ(recorder_.entries.back().user, "key_a");
  EXPECT_EQ(recorder_.entries.back().count, 1000 - kDenialsOfUserMax);
  ASSERT_TRUE(deny("192.0.2.1", "key_a"));  // the flood goes on: only its count is written
  EXPECT_EQ(recorder_.entries.size(), kDenialsOfUserMax + 3);
}

TEST_F(DenialsTest, NotWrittenIsNotCountedAsWritten) {
  recorder_.available = false;
  const auto refused = deny("192.0.2.1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  recorder_.available = true;
  ASSERT_TRUE(deny("192.0.2.1"));
  EXPECT_EQ(recorder_.entries.size(), 1u);
}

async::Task<void> deny_first(Denials& denials, Result<void>& outcome) {
  // Named: GCC 12 destroys a temporary of a co_await twice.
  Denial denial{.source_ip = "192.0.2.1",
                .user = {},
                .merchant_id = {},
                .operation = "POST /v1/tickets",
                .request_id = {}};
  outcome = co_await denials.record(std::move(denial));
}

TEST_F(DenialsTest, WhatWasCountedIsWrittenAlsoWhenTheFirstIsNot) {
  recorder_.available = false;
  recorder_.waits_on = &loop_;
  Result<void> first;
  async::spawn(deny_first(denials_, first));
  ASSERT_TRUE(deny("192.0.2.1"));  // answered as a denial while the first waits
  loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(60)));
  EXPECT_FALSE(first);
  recorder_.available = true;
  clock_.now += kDenialWindowUs;
  sweep();
  ASSERT_EQ(recorder_.entries.size(), 1u);
  EXPECT_EQ(recorder_.entries[0].count, 1u);
}

TEST_F(DenialsTest, CountsSurviveAnAbsentLog) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(deny("192.0.2.1"));
  recorder_.available = false;
  clock_.now += kDenialWindowUs;
  sweep();
  recorder_.available = true;
  clock_.now += kDenialWindowUs;
  sweep();
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[1].count, 4u);
}

TEST_F(DenialsTest, ManySourcesAreBoundedAndCountedTogether) {
  for (std::size_t i = 0; i < kDenialSourcesMax + 10; ++i) {
    ASSERT_TRUE(deny("source-" + std::to_string(i)));
  }
  EXPECT_EQ(recorder_.entries.size(), kDenialSourcesMax + 1);
  close();
  ASSERT_EQ(recorder_.entries.size(), kDenialSourcesMax + 2);
  EXPECT_EQ(recorder_.entries.back().count, 9u);
  EXPECT_EQ(recorder_.entries.back().source_ip, "");
}

}  // namespace
}  // namespace strongroom::audit

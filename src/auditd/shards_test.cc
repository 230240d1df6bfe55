// Which log an entry goes to when the year ends and after a break, and what the operator's log
// records of the others.
#include "audit/logs.h"
#include "auditd/testing/auditd_fixture.h"
#include "base/pan_scan.h"

namespace strongroom::auditd {
namespace {

class SetClock final : public Clock {
 public:
  void set(std::string_view time) { now_us_ = *parse_rfc3339(time); }
  [[nodiscard]] std::int64_t now_us() const override { return now_us_; }

 private:
  std::int64_t now_us_ = *parse_rfc3339("2026-12-31T23:59:58.000Z");
};

class ShardsTest : public AuditdTest {
 protected:
  void open() {
    store_.reset();
    StoreOptions options = store_options();
    options.new_logs = limit_;
    auto store = Store::open(files_, set_clock_, random_, options, test_signer());
    SR_CHECK(store.has_value());
    store_.emplace(*std::move(store));
  }
  Ledger& ledger() { return *store_->ledger; }
  void publish() {
    auto grown = ledger().take_grown(0);
    EXPECT_TRUE(store_->checkpoints.publish(grown));
  }
  std::string json(std::string_view time, std::string merchant, std::string_view instance) {
    audit::Entry made = entry();
    made.time_us = *parse_rfc3339(time);
    made.merchant_id = std::move(merchant);
    return audit::to_json(made, instance);
  }
  audit::EntryStatus append(std::string_view time, std::string merchant = "mer_1") {
    const std::string text = json(time, std::move(merchant), "vaultd");
    Submission submission{"vaultd", text};
    ledger().append(std::span(&submission, 1));
    return submission.status;
  }
  // "<log> <event> [<origin> <size>]" of every entry.
  std::vector<std::string> history() {
    audit::LogNames names;
    std::vector<std::string> lines;
    for (const audit::Entry& entry : journal()) {
      const std::string text = audit::to_json(entry);
      const auto view = audit::read_entry(text);
      std::string line = names.of(*view) + " " + std::string(audit::name(entry.event_type));
      if (entry.tree_size)
        line += " " + entry.resources[0] + " " + std::to_string(*entry.tree_size);
      names.took(*view);
      lines.push_back(std::move(line));
    }
    return lines;
  }

  SetClock set_clock_;
  QuotaLimit limit_ = kNewLogsQuota;
  std::optional<Store> store_;
};

TEST_F(ShardsTest, ANewYearsLogBeginsWithACheckpointOfTheLastOne) {
  open();
  ledger().record_own({.event_type = audit::EventType::log_start});
  const std::vector<std::string> texts{
      json("2026-12-31T23:59:59.999Z", "mer_1", "vaultd"),
      json("2027-01-01T00:00:00.000Z", "mer_1", "vaultd"),
      json("2027-01-01T00:00:00.001Z", "mer_1", "vaultd"),
      json("2026-12-31T23:59:59.998Z", "mer_1", "vaultd"),
      json("2027-01-01T00:00:00.002Z", "mer_2", "vaultd"),
  };
  std::vector<Submission> group;
  for (const std::string& text : texts) group.push_back({"vaultd", text});
  ledger().append(group);
  for (const Submission& item : group) EXPECT_EQ(item.status, audit::EntryStatus::durable);
  set_clock_.set("2027-01-01T00:00:03.000Z");
  ledger().record_checkpoints();
  const std::string place = "test.example/auditd/";
  // The operator's log records the merchants' in no order.
  std::vector<std::string> lines = history();
  ASSERT_EQ(lines.size(), 11U) << ::testing::PrintToString(lines);
  std::ranges::sort(lines.begin() + 8, lines.end());
  EXPECT_EQ(lines,
            (std::vector<std::string>{"operator-2026 log.start", "mer_1-2026 token.create",
                                      "mer_1-2027 log.checkpoint " + place + "mer_1/2026 1",
                                      "mer_1-2027 token.create", "mer_1-2027 token.create",
                                      "mer_1-2026 token.create", "mer_2-2027 token.create",
                                      "operator-2027 log.checkpoint " + place + "operator/2026 1",
                                      "operator-2027 log.checkpoint " + place + "mer_1/2026 2",
                                      "operator-2027 log.checkpoint " + place + "mer_1/2027 3",
                                      "operator-2027 log.checkpoint " + place + "mer_2/2027 1"}));
  ledger().record_checkpoints();
  EXPECT_EQ(journal().size(), 11U) << "nothing has grown";
  publish();
  const auto report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
  open();
  ledger().record_checkpoints();
  EXPECT_EQ(journal().size(), 11U) << "a restart remembers";
}

TEST_F(ShardsTest, RecordsSoManyLogsAtATimeUntilNoneIsLeft) {
  open();
  constexpr std::string_view kTime = "2026-12-31T23:59:58.000Z";
  for (const char* merchant : {"mer_1", "mer_2", "mer_3"}) {
    EXPECT_EQ(append(kTime, merchant), audit::EntryStatus::durable);
  }
  EXPECT_EQ(ledger().unrecorded_logs(), 3U);
  ledger().record_checkpoints(2);
  EXPECT_EQ(ledger().unrecorded_logs(), 1U);
  EXPECT_EQ(append(kTime, "mer_1"), audit::EntryStatus::durable);
  EXPECT_EQ(ledger().unrecorded_logs(), 2U) << "it has grown again";
  publish();
  const auto snapshot = ledger().take_snapshot(0);
  EXPECT_TRUE(store_->checkpoints.keep(*snapshot));
  open();
  EXPECT_EQ(ledger().unrecorded_logs(), 2U) << "a restart remembers";
  ledger().record_checkpoints(2);
  EXPECT_EQ(ledger().unrecorded_logs(), 0U);
  EXPECT_EQ(journal().size(), 8U);
}

TEST_F(ShardsTest, AWriterBeginsNoMoreLogsThanItsQuota) {
  limit_ = {.at_once = 2, .per_minute = 0};
  set_clock_.set("2026-01-02T00:00:00.000Z");
  open();
  constexpr std::string_view kTime = "2026-01-01T23:59:58.000Z";
  EXPECT_EQ(append(kTime, ""), audit::EntryStatus::durable) << "the operator's";
  EXPECT_EQ(append(kTime, "mer_1"), audit::EntryStatus::durable);
  EXPECT_EQ(append(kTime, "mer_2"), audit::EntryStatus::unavailable);
  EXPECT_EQ(append("2025-12-31T23:59:58.000Z", "mer_1"), audit::EntryStatus::unavailable)
      << "a year that is over";
  EXPECT_EQ(append(kTime, "mer_1"), audit::EntryStatus::durable);
  set_clock_.set("2027-01-01T00:00:00.000Z");
  EXPECT_EQ(append("2027-01-01T00:00:00.000Z", "mer_1"), audit::EntryStatus::durable)
      << "a year begins for all";
  set_clock_.set("2026-01-02T00:00:00.000Z");
  const std::string of_authd = json(kTime, "mer_2", "authd");
  Submission other{"authd", of_authd};
  ledger().append(std::span(&other, 1));
  EXPECT_EQ(other.status, audit::EntryStatus::durable) << "another writer";
  EXPECT_EQ(append(kTime, "mer_2"), audit::EntryStatus::durable) << "the log is there now";
  EXPECT_EQ(ledger().log_sizes().size(), 4U) << "nothing is left of what was turned away";
  ASSERT_TRUE(ledger().open_new_shards("restored", "uid:7"));
  EXPECT_EQ(append(kTime, "mer_1"), audit::EntryStatus::durable) << "as after a break";
}

TEST_F(ShardsTest, TheOperatorsLogRecordsALogWhoseSuccessorHasDoneSo) {
  open();
  EXPECT_EQ(append("2026-12-31T23:59:58.000Z"), audit::EntryStatus::durable);
  EXPECT_EQ(append("2027-01-01T00:00:00.000Z"), audit::EntryStatus::durable);
  ledger().record_checkpoints();
  std::vector<std::string> lines = history();
  std::ranges::sort(lines.begin() + 3, lines.end());
  const std::string place = "test.example/auditd/";
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "mer_1-2026 token.create", "mer_1-2027 log.checkpoint " + place + "mer_1/2026 1",
                "mer_1-2027 token.create", "operator-2026 log.checkpoint " + place + "mer_1/2026 1",
                "operator-2026 log.checkpoint " + place + "mer_1/2027 2"}));
}

TEST_F(ShardsTest, WhatCameLateToTheOperatorsLastLogIsRecordedInTheNextOne) {
  open();
  constexpr std::string_view kLastYear = "2026-12-31T23:59:58.000Z";
  EXPECT_EQ(append(kLastYear, ""), audit::EntryStatus::durable);
  set_clock_.set("2027-01-01T00:00:00.000Z");
  EXPECT_EQ(append("2027-01-01T00:00:00.000Z", ""), audit::EntryStatus::durable);
  EXPECT_EQ(ledger().unrecorded_logs(), 0U);
  EXPECT_EQ(append(kLastYear, ""), audit::EntryStatus::durable) << "late";
  EXPECT_EQ(ledger().unrecorded_logs(), 1U);
  set_clock_.set(kLastYear);
  ledger().record_checkpoints();
  EXPECT_EQ(journal().size(), 4U) << "a log that tells of itself would never come to an end";
  publish();
  const auto snapshot = ledger().take_snapshot(0);
  EXPECT_TRUE(store_->checkpoints.keep(*snapshot));
  set_clock_.set("2027-01-01T00:00:01.000Z");
  open();
  EXPECT_EQ(ledger().unrecorded_logs(), 1U) << "a restart remembers";
  ledger().record_checkpoints();
  const std::string told = "operator-2027 log.checkpoint test.example/auditd/operator/2026 ";
  EXPECT_EQ(history(), (std::vector<std::string>{"operator-2026 token.create", told + "1",
                                                 "operator-2027 token.create",
                                                 "operator-2026 token.create", told + "2"}));
  EXPECT_EQ(ledger().unrecorded_logs(), 0U);
  publish();
  const auto report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
}

TEST_F(ShardsTest, ABreakOpensNewShards) {
  open();
  ledger().record_own({.event_type = audit::EventType::log_start});
  EXPECT_EQ(append("2026-12-31T23:59:58.000Z"), audit::EntryStatus::durable);
  publish();
  ASSERT_TRUE(ledger().open_new_shards("restored from a copy", "uid:7"));
  EXPECT_EQ(ledger().open_new_shards("again", "uid:7").error().code(), ErrorCode::conflict);
  set_clock_.set("2026-12-31T23:59:57.000Z");
  EXPECT_EQ(ledger().open_new_shards("again", "uid:7").error().code(), ErrorCode::conflict)
      << "the clock was set back";
  set_clock_.set("2026-12-31T23:59:58.000Z");
  EXPECT_EQ(append("2026-12-31T23:59:57.000Z"), audit::EntryStatus::durable);
  set_clock_.set("2026-01-01T00:00:00.000Z");  // set back, or else the year before is too long ago
  EXPECT_EQ(append("2025-12-31T23:59:57.000Z"), audit::EntryStatus::durable);
  set_clock_.set("2026-12-31T23:59:58.000Z");
  EXPECT_EQ(append("2027-01-01T00:00:00.000Z"), audit::EntryStatus::durable);
  publish();
  open();
  ledger().record_own({.event_type = audit::EventType::log_start});
  publish();
  const std::string place = "test.example/auditd/", at = "b20261231T235958Z";
  EXPECT_EQ(history(),
            (std::vector<std::string>{
                "operator-2026 log.start", "mer_1-2026 token.create",
                "operator-2026" + at + " log.break " + place + "operator/2026 1",
                "mer_1-2026" + at + " log.checkpoint " + place + "mer_1/2026 1",
                "mer_1-2026" + at + " token.create",
                "mer_1-2025" + at + " log.checkpoint " + place + "mer_1/2026" + at + " 2",
                "mer_1-2025" + at + " token.create",
                "mer_1-2027 log.checkpoint " + place + "mer_1/2026" + at + " 2",
                "mer_1-2027 token.create", "operator-2026" + at + " log.start"}));
  EXPECT_EQ(journal()[2].reason, "restored from a copy");
  EXPECT_EQ(journal()[2].user, "uid:7");
  const auto report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
}

TEST_F(ShardsTest, AMerchantWhoseOriginWouldBeMaskedHasNoLog) {
  open();
  ledger().record_own({.event_type = audit::EventType::log_start});
  std::string merchant = "mer_424242420";
  while (merchant.back() < '9' && !looks_like_pan(merchant + "/2026")) ++merchant.back();
  ASSERT_TRUE(looks_like_pan(merchant + "/2026"));
  ASSERT_FALSE(looks_like_pan(merchant));
  for (const char* time :
       {"2026-12-31T23:59:58.000Z", "2027-01-01T00:00:00.000Z", "2027-01-01T00:00:00.001Z"}) {
    EXPECT_EQ(append(time, merchant), audit::EntryStatus::durable);
  }
  ledger().record_checkpoints();
  const std::string origin = "test.example/auditd/operator/2026";
  EXPECT_EQ(history(),
            (std::vector<std::string>{"operator-2026 log.start", "operator-2026 token.create",
                                      "operator-2027 log.checkpoint " + origin + " 2",
                                      "operator-2027 token.create", "operator-2027 token.create"}));
  publish();
  const auto report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
}

TEST_F(ShardsTest, NothingIsDatedBackByMoreThanAWeek) {
  open();
  set_clock_.set("2026-12-31T00:00:00.000Z");
  EXPECT_EQ(append("2026-12-24T00:00:00.000Z"), audit::EntryStatus::durable);
  EXPECT_EQ(append("2026-12-23T23:59:59.999Z"), audit::EntryStatus::refused);
  EXPECT_EQ(append("2026-12-31T00:05:00.000Z"), audit::EntryStatus::durable);
  EXPECT_EQ(append("2026-12-31T00:05:00.001Z"), audit::EntryStatus::refused);
  for (const auto type : {audit::EventType::key_generate, audit::EventType::schema_migrate}) {
    audit::Entry made = entry();
    made.event_type = type;
    made.time_us = *parse_rfc3339("2026-06-01T00:00:00.000Z");
    const std::string text = audit::to_json(made, "vaultd");
    Submission submission{"vaultd", text};
    ledger().append(std::span(&submission, 1));
    EXPECT_EQ(submission.status, audit::EntryStatus::durable) << "made before auditd ran";
  }
}

TEST_F(ShardsTest, WhatIsAuditdsToSayIsRefusedFromOthers) {
  open();
  for (const auto type : {audit::EventType::log_checkpoint, audit::EventType::log_break}) {
    audit::Entry made = entry();
    made.event_type = type;
    made.time_us = set_clock_.now_us();
    made.resources = {"test.example/auditd/operator/2026"};
    made.tree_size = 0;
    const std::string text = audit::to_json(made, "vaultd");
    Submission submission{"vaultd", text};
    ledger().append(std::span(&submission, 1));
    EXPECT_EQ(submission.status, audit::EntryStatus::refused);
  }
  EXPECT_TRUE(journal().empty());
}

TEST_F(ShardsTest, NamesAreTheOnesOfLogs) {
  for (const char* name : {"operator-2026", "mer_1-2026", "a-b-2026b20261122T150000Z"}) {
    EXPECT_TRUE(audit::is_log_name(name)) << name;
  }
  for (const char* name :
       {"2026", "-2026", "mer_1-26", "mer_1-2026b", "mer_1-2026.20261122T150000Z",
        "mer_1-2026b20261122T15000Z", "mer_1-2026/20261122T150000Z", "m/r-2026",
        "mer_1-2026b20261122T150000"}) {
    EXPECT_FALSE(audit::is_log_name(name)) << name;
  }
}

}  // namespace
}  // namespace strongroom::auditd

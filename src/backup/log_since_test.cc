// What a log says was taken away since a backup: what was done behind its beginning, and what
// nobody knows the end of; not what was done before, was not done, or others say.
#include "backup/log_since.h"

#include <gmock/gmock.h>

#include "audit/entry_list.h"
#include "audit/testing/verify_fixture.h"

namespace strongroom::backup {
namespace {

using audit::Entry;
using audit::EventType;
using audit::Outcome;
using audit::Phase;
using ::testing::UnorderedElementsAre;

class LogSinceTest : public audit::testing::VerifyFixture {
 protected:
  Entry intent(const std::string& token, EventType type = EventType::token_delete) {
    Entry intent = entry("mer_1");
    intent.event_type = type;
    intent.phase = Phase::intent;
    intent.outcome = Outcome::none;
    intent.gateway_token = token;
    return intent;
  }
  Entry outcome(const Entry& intent, Outcome outcome) {
    return audit::outcome_of(intent, outcome, crypto::new_entry_id(random_, clock_), kLater);
  }
  void write(const std::vector<Entry>& entries) {
    append(entries, false);
    written_ += entries.size();
  }
  // The tokens, or what else it was done to.
  static std::vector<std::string> told(const Operations& operations) {
    std::vector<std::string> told;
    for (const auto& [operation, json] : operations) {
      const auto entry = audit::parse_entry(json);
      EXPECT_EQ(entry->operation_id, operation);
      const bool has_token = !entry->gateway_token.empty();
      told.push_back(has_token ? entry->gateway_token : entry->resources.at(0));
    }
    return told;
  }
  LogSince since(std::uint64_t log_before) {
    auto read = read_log_since(files_, folder_, log_before, written_);
    SR_CHECK(read.has_value());
    return *std::move(read);
  }

  static constexpr std::int64_t kLater = audit::testing::kEntryTimeUs + 1;
  std::uint64_t written_ = 0;
};

TEST_F(LogSinceTest, WhatWasDoneSinceAndWhatMayHaveBeenIsErasedAgain) {
  const Entry before = intent("before"), across = intent("across"), open_before = intent("open 1");
  const Entry not_across = intent("not across");
  write({before, across, open_before, not_across, outcome(before, Outcome::done)});
  const std::uint64_t log_before = written_;
  const Entry after = intent("after"), expired = intent("expired", EventType::token_expire);
  const Entry undone = intent("undone"), failed = intent("failed"), open = intent("open 2");
  const Entry unknown = intent("unknown");
  write({after, expired, undone, failed, open, unknown});
  write({outcome(across, Outcome::done), outcome(not_across, Outcome::not_done),
         outcome(after, Outcome::done), outcome(expired, Outcome::done),
         outcome(undone, Outcome::not_done), outcome(failed, Outcome::failed),
         outcome(unknown, Outcome::unknown)});
  EXPECT_THAT(told(since(log_before).erasures),
              UnorderedElementsAre("across", "open 1", "after", "expired", "open 2", "unknown"));
  EXPECT_THAT(told(since(written_).erasures), UnorderedElementsAre("open 1", "open 2"));
}

TEST_F(LogSinceTest, ASingleEntryAndAnothersWordTakeNothingAway) {
  Entry single = intent("single");
  single.phase = Phase::single;
  single.outcome = Outcome::success;
  Entry of_gateway = intent("gateway's"), of_vaultd_2 = intent("second vaultd's");
  of_gateway.instance = "gatewayd";
  of_vaultd_2.instance = "vaultd-2";
  Entry alike = intent("alike");
  alike.instance = "vaultdown";
  write({single, of_gateway, of_vaultd_2, alike, intent("made", EventType::token_create)});
  EXPECT_THAT(told(since(0).erasures), UnorderedElementsAre("second vaultd's"));
}

TEST_F(LogSinceTest, RevokedKeysAreTold) {
  Entry revoked = intent("", EventType::api_key_revoke);
  revoked.instance = "authd";
  revoked.resources = {"key_1"};
  Entry of_gateway = revoked;
  of_gateway.instance = "gatewayd";
  of_gateway.operation_id = crypto::new_operation_id(random_, clock_);
  write({revoked, of_gateway, outcome(revoked, Outcome::done)});
  EXPECT_THAT(told(since(0).revocations), UnorderedElementsAre("key_1"));
  EXPECT_TRUE(since(0).erasures.empty());
  EXPECT_TRUE(since(written_).revocations.empty());
}

TEST_F(LogSinceTest, HoldsAreToldUnlessTheirCardsWereErasedThen) {
  const Entry held = intent("held", EventType::delete_hold);
  const Entry released = intent("released", EventType::delete_hold), erased = intent("released");
  write({held, released, outcome(held, Outcome::done), outcome(released, Outcome::done), erased});
  EXPECT_THAT(told(since(0).holds), UnorderedElementsAre("held"));
  EXPECT_THAT(told(since(0).erasures), UnorderedElementsAre("released"));
}

TEST_F(LogSinceTest, WhatStandsBehindTheEndIsNotRead) {
  write({intent("first")});
  write({intent("second")});
  const std::string segment = path(audit::segment_name(1));
  const std::string whole = read(segment);
  const std::size_t second = whole.find("second");
  ASSERT_NE(second, std::string::npos);
  const auto before = read_log_since(files_, folder_, 0, 1);
  ASSERT_TRUE(before);
  EXPECT_THAT(told(before->erasures), UnorderedElementsAre("first"));
  const auto beyond = read_log_since(files_, folder_, 0, 3);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code(), ErrorCode::corrupt);
  flip(segment, second);
  EXPECT_TRUE(read_log_since(files_, folder_, 0, 1));
  const auto damaged = read_log_since(files_, folder_, 0, 2);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::corrupt);
}

TEST_F(LogSinceTest, TellsHowBackupsEndedByAuditdsWordAlone) {
  Entry ended = entry("");
  ended.instance = "auditd";
  ended.event_type = EventType::backup_create;
  ended.phase = Phase::single;
  ended.outcome = Outcome::success;
  ended.operation = "end";
  ended.resources = {"backup 1", "vault"};
  ended.sha256.emplace().fill(std::byte{7});
  Entry begun = ended, failed = ended, of_gateway = ended, later = ended;
  later.sha256->fill(std::byte{9});
  begun.operation = "begin";
  begun.resources[0] = "backup 2";
  failed.event_type = EventType::key_backup;
  failed.outcome = Outcome::failed;
  of_gateway.instance = "gatewayd";
  of_gateway.sha256->fill(std::byte{8});
  write({of_gateway, ended, begun, failed, later});
  const LogSince told = since(0);
  ASSERT_EQ(told.backups.size(), 2U);
  EXPECT_EQ(told.backups.at({EventType::backup_create, "1"}), ended.sha256);
  EXPECT_EQ(told.backups.at({EventType::key_backup, "1"}), std::nullopt);
}

TEST_F(LogSinceTest, WhatLeftTheJournalIsMissed) {
  segment_bytes_max_ = 2048;
  for (int i = 0; i < 8; ++i) write({intent("token " + std::to_string(i))});
  const auto segments = audit::list_segments(files_, folder_);
  ASSERT_GT(segments->size(), 1U);
  std::filesystem::remove(path(segments->front()));
  const std::uint64_t oldest = *audit::sequence_of_segment(segments->at(1));
  const auto gone = read_log_since(files_, folder_, oldest - 2, written_);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), ErrorCode::gone);
  EXPECT_EQ(told(since(oldest - 1).erasures).size(), written_ - oldest + 1);
}

TEST_F(LogSinceTest, GivesOneEntryBySequence) {
  segment_bytes_max_ = 2048;
  for (int i = 0; i < 8; ++i) write({intent("token " + std::to_string(i))});
  for (const std::uint64_t sequence : {1U, 2U, 7U, 8U}) {
    const auto entry = journal_entry(files_, folder_, sequence);
    ASSERT_TRUE(entry) << sequence;
    EXPECT_EQ(audit::parse_entry(*entry)->gateway_token, "token " + std::to_string(sequence - 1));
  }
  std::filesystem::remove(path(audit::segment_name(1)));
  for (const std::uint64_t sequence : {0U, 1U, 9U}) {
    const auto entry = journal_entry(files_, folder_, sequence);
    ASSERT_FALSE(entry) << sequence;
    EXPECT_EQ(entry.error().code(), ErrorCode::not_found);
  }
}

TEST_F(LogSinceTest, EncodesAListThatIsReadBack) {
  write({intent("one"), intent("two")});
  const std::vector<std::byte> list = encode(since(0).erasures);
  std::size_t taken = 0;
  const auto source = [&](std::span<std::byte> out) -> Result<std::size_t> {
    const std::size_t size = std::min(out.size(), list.size() - taken);
    std::copy_n(list.begin() + static_cast<std::ptrdiff_t>(taken), size, out.begin());
    taken += size;
    return size;
  };
  std::vector<std::string> tokens;
  ASSERT_TRUE(audit::read_entry_list(source, [&](const Entry& entry) {
    tokens.push_back(entry.gateway_token);
    return Result<void>{};
  }));
  EXPECT_THAT(tokens, UnorderedElementsAre("one", "two"));
  EXPECT_EQ(taken, list.size());
}

}  // namespace
}  // namespace strongroom::backup

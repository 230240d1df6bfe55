// A card's end as a log tells it: what is shown and what is missing at each point of a whole life,
// that what began before the deletion counts as before it, and what speaks against it.
#include "ops/erasure.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"

namespace strongroom::ops {
namespace {

using audit::Entry;
using audit::EventType;
using audit::Outcome;
using audit::Phase;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kToken = "tok_a";
constexpr std::int64_t kSecondUs = 1'000'000;

std::string kek(std::uint32_t version) {
  return "strongroom/pan-encryption/" + std::to_string(version);
}

class ErasureTest : public ::testing::Test {
 protected:
  // Appends an entry a second after the last one; entries can be of any log.
  std::size_t append(Entry entry) {
    entry.time_us = kSecondUs * static_cast<std::int64_t>(entries_.size() + 1);
    if (entry.instance.empty()) entry.instance = writer_;
    entries_.push_back({.entry = std::move(entry),
                        .log = "operator-2026",
                        .index = entries_.size(),
                        .place = {1, static_cast<std::uint32_t>(entries_.size() * 100)}});
    return entries_.size() - 1;
  }
  OperationId new_operation() {
    OperationId operation;
    operation.bytes[0] = static_cast<std::byte>(++operations_);
    return operation;
  }
  Entry intent(EventType type, std::vector<std::string> resources = {}) {
    Entry entry{.operation_id = new_operation(), .event_type = type, .phase = Phase::intent};
    entry.resources = std::move(resources);
    return entry;
  }
  Entry of_card(EventType type) {
    Entry entry = intent(type);
    entry.gateway_token = kToken;
    return entry;
  }
  std::size_t end(Entry intent, Outcome outcome = Outcome::done) {
    intent.phase = Phase::outcome;
    intent.outcome = outcome;
    return append(std::move(intent));
  }
  std::size_t act(const Entry& intent, Outcome outcome = Outcome::done) {
    append(intent);
    return end(intent, outcome);
  }
  std::size_t single(EventType type, std::vector<std::string> resources, std::string token = {}) {
    Entry entry{.event_type = type, .outcome = Outcome::success};
    const bool of_backups = type == EventType::backup_create || type == EventType::backup_restore ||
                            type == EventType::key_backup;
    if (of_backups) entry.instance = "auditd";
    entry.resources = std::move(resources);
    entry.gateway_token = std::move(token);
    return append(std::move(entry));
  }

  std::size_t create() { return act(of_card(EventType::token_create)); }
  std::size_t use() { return single(EventType::token_lookup, {}, std::string(kToken)); }
  std::size_t erase() { return act(of_card(EventType::token_delete)); }
  std::size_t activate(std::uint32_t version) {
    return act(intent(EventType::key_activate, {kek(version), kek(version - 1)}));
  }
  void raise_floor(std::uint32_t version) {
    act(intent(EventType::key_retire, {kek(version - 1)}));
  }
  std::size_t empty(std::uint32_t version) {
    const std::size_t at = single(EventType::key_rewrap, {kek(version)});
    entries_[at].entry.count = 0;
    return at;
  }
  std::size_t destroy(std::uint32_t version) {
    return act(intent(EventType::key_destroy, {kek(version)}));
  }
  std::size_t generate(std::uint32_t version) {
    return act(intent(EventType::key_generate, {kek(version)}));
  }
  std::size_t note(std::string what, Outcome outcome = Outcome::done, std::string kind = "keys") {
    return act(intent(EventType::key_ledger, {"backup 1", std::move(kind), std::move(what)}),
               outcome);
  }

  Erasure judged() const { return judge_erasure(entries_, kToken); }
  ErasureVerdict verdict() const { return judged().verdict; }
  // "rotated 2", "destroyed 1?": a step, its version, and a question mark where it is missing.
  std::vector<std::string> chain() const {
    std::vector<std::string> steps;
    for (const ErasureLink& link : judged().chain) {
      std::string text(name(link.step));
      if (link.version > 0) text += " " + std::to_string(link.version);
      if (!link.entry) text += link.needed ? "?" : " (not shown)";
      steps.push_back(std::move(text));
    }
    return steps;
  }

  std::vector<LoggedEntry> entries_;
  std::string writer_ = "vaultd";
  int operations_ = 0;
};

TEST_F(ErasureTest, EachStepOfACardsEndIsMissingUntilItIsTold) {
  activate(2);  // as in any log, before the card's life
  raise_floor(2);
  EXPECT_EQ(verdict(), ErasureVerdict::unknown_token);
  const std::size_t created = create();
  const std::size_t used = use();
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  EXPECT_THAT(chain(), ElementsAre("created", "last_used", "deleted?"));
  const std::size_t deleted = erase();
  EXPECT_THAT(chain(), ElementsAre("created", "last_used", "deleted", "rotated?", "rewrapped 2?",
                                   "destroyed 2?"));
  const std::size_t rotated = activate(3);
  EXPECT_THAT(chain(), ElementsAre("created", "last_used", "deleted", "rotated 3", "rewrapped 2?",
                                   "destroyed 2?"));
  const std::size_t emptied = empty(2);
  EXPECT_THAT(chain(), Contains("destroyed 2?"));
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  const std::size_t destroyed = destroy(2);
  const Erasure erasure = judged();
  EXPECT_EQ(erasure.verdict, ErasureVerdict::erased);
  EXPECT_THAT(erasure.against, IsEmpty());
  EXPECT_THAT(erasure.chain, ElementsAre(ErasureLink{ErasureStep::created, 0, created},
                                         ErasureLink{ErasureStep::last_used, 0, used},
                                         ErasureLink{ErasureStep::deleted, 0, deleted},
                                         ErasureLink{ErasureStep::rotated, 3, rotated},
                                         ErasureLink{ErasureStep::rewrapped, 2, emptied},
                                         ErasureLink{ErasureStep::destroyed, 2, destroyed}));
}

// The whole life of a card that is erased.
class ErasedTest : public ErasureTest {
 protected:
  ErasedTest() {
    create();
    erase();
    activate(2);
    empty(1);
    destroy(1);
    SR_CHECK(verdict() == ErasureVerdict::erased);
  }
};

TEST_F(ErasedTest, TheOrderOfTheJournalCountsNotThatOfTheLogs) {
  std::ranges::reverse(entries_);
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
}

TEST_F(ErasedTest, NothingIsShownOfAnotherToken) {
  EXPECT_EQ(judge_erasure(entries_, "tok_b").verdict, ErasureVerdict::unknown_token);
  EXPECT_THAT(judge_erasure(entries_, "tok_b").chain, IsEmpty());
}

TEST_F(ErasedTest, WithoutAnyOneOfItsEntriesNothingIsErased) {
  // But for the beginning of the life, without which version 1 is taken to be the oldest, and the
  // re-wrap of a version that is destroyed.
  for (std::size_t left_out = 0; left_out < entries_.size(); ++left_out) {
    const Entry& entry = entries_[left_out].entry;
    const bool spare =
        entry.event_type == EventType::token_create || entry.event_type == EventType::key_rewrap ||
        (entry.phase == Phase::intent && entry.event_type != EventType::key_activate);
    std::vector<LoggedEntry> others = entries_;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(left_out));
    EXPECT_EQ(judge_erasure(others, kToken).verdict == ErasureVerdict::erased, spare)
        << audit::to_json(entry);
  }
}

TEST_F(ErasedTest, WhatWasNotDoneIsNotShown) {
  for (const Outcome outcome : {Outcome::not_done, Outcome::failed, Outcome::unknown}) {
    for (const EventType type :
         {EventType::token_delete, EventType::key_activate, EventType::key_destroy}) {
      std::vector<LoggedEntry> others = entries_;
      for (LoggedEntry& one : others) {
        const bool ends = one.entry.event_type == type && one.entry.phase == Phase::outcome;
        if (ends) one.entry.outcome = outcome;
      }
      EXPECT_EQ(judge_erasure(others, kToken).verdict, ErasureVerdict::not_yet);
    }
  }
}

TEST_F(ErasedTest, AUseLongAfterTheDeletionSpeaksAgainstIt) {
  const std::size_t soon = use();
  EXPECT_EQ(verdict(), ErasureVerdict::erased) << "it was asked before, and is told behind it";
  const std::size_t late = use();
  entries_[late].entry.time_us = entries_[soon].entry.time_us + 61 * kSecondUs;
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  EXPECT_THAT(judged().against, ElementsAre(late));
}

TEST_F(ErasedTest, AnOlderDatabaseThatIsPutBackSpeaksAgainstIt) {
  const std::size_t restored = single(EventType::backup_restore, {"database vault"});
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  EXPECT_THAT(judged().against, ElementsAre(restored));
}

TEST_F(ErasureTest, ABackupFromAfterTheDeletionHoldsNoCard) {
  create();
  erase();
  activate(2);
  single(EventType::backup_create, {"backup 1", "database-vault"});
  single(EventType::backup_restore, {"backup 1", "made", "with a newer log"});
  single(EventType::backup_restore, {"database auth"});
  single(EventType::backup_restore, {"database vault"});
  destroy(1);
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
  entries_.pop_back();
  single(EventType::backup_restore, {"database vault"});  // from what, nobody says
  destroy(1);
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
}

TEST_F(ErasedTest, ARestoreBehindTheDestructionMayBringTheKeyBack) {
  single(EventType::backup_create, {"backup 1", "database-vault"});
  single(EventType::backup_restore, {"database auth"});
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
  const std::size_t restored = single(EventType::backup_restore, {"backup 1", "made"});
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  EXPECT_THAT(judged().against, ElementsAre(restored));
  destroy(1);
  EXPECT_EQ(verdict(), ErasureVerdict::erased) << "what came back is destroyed, too";
}

TEST_F(ErasureTest, ARestoreBeforeTheCreationPutsOldVersionsBackInUse) {
  activate(2);
  raise_floor(2);
  single(EventType::backup_restore, {"database vault"});
  create();
  erase();
  activate(3);
  destroy(2);
  EXPECT_THAT(chain(), Contains("destroyed 1?"));
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
}

TEST_F(ErasureTest, ARestoreInTheCardsLifeLeavesTheVersionsBehindIt) {
  create();
  activate(2);
  activate(3);
  single(EventType::backup_restore, {"database vault"});
  erase();
  activate(2);
  destroy(1);
  EXPECT_THAT(chain(), Contains("destroyed 2?"));
  EXPECT_THAT(chain(), Contains("destroyed 3?"));
}

TEST_F(ErasureTest, WhereTheBeginningOfTheCreationIsNotShownEveryVersionCounts) {
  activate(2);
  raise_floor(2);
  end(of_card(EventType::token_create));
  erase();
  activate(3);
  destroy(2);
  EXPECT_THAT(chain(), Contains("destroyed 1?"));
}

// The keys were copied while the version was there.
class CopiedKeyTest : public ErasureTest {
 protected:
  void live_until_destroyed() {
    create();
    erase();
    activate(2);
    empty(1);
    destroy(1);
  }
};

TEST_F(CopiedKeyTest, ACopyOfTheKeysSpeaksAgainstItUntilItsEndIsNoted) {
  const std::size_t copied = single(EventType::key_backup, {"backup 1", "keys"});
  live_until_destroyed();
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  EXPECT_THAT(judged().against, ElementsAre(copied));
  const std::size_t noted = note("begin") - 1;
  note("destroyed", Outcome::done, "data");
  note("destroyed", Outcome::not_done);
  note("verified");
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  entries_.resize(noted);
  for (const char* end : {"destroyed", "replaced", "failed"}) {
    note(end);
    EXPECT_EQ(verdict(), ErasureVerdict::erased) << end;
    entries_.resize(noted);
  }
  writer_ = "connectord-stripe";
  note("destroyed");
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet) << "only vaultd keeps the ledger";
}

TEST_F(CopiedKeyTest, ACopyThatOnlyTheLedgerKnowsSpeaksAgainstIt) {
  const std::size_t added = note("add");
  live_until_destroyed();
  EXPECT_THAT(judged().against, ElementsAre(added));
  entries_[added].entry.outcome = Outcome::not_done;
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
}

TEST_F(CopiedKeyTest, ACopyFromBeforeOrBehindTheVersionDoesNotHoldIt) {
  note("begin");
  const std::size_t whole = note("verified");
  const std::size_t made = generate(1);
  live_until_destroyed();
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
  EXPECT_EQ(judged().since, entries_[made].place.segment_first_sequence);
  entries_[whole].entry.outcome = Outcome::not_done;
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet) << "it may have gone on";
  entries_[whole].entry.outcome = Outcome::done;
  single(EventType::key_backup, {"backup 2", "keys"});
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
}

TEST_F(ErasedTest, OnlyWhatVaultdWritesIsShown) {
  for (const EventType type :
       {EventType::token_delete, EventType::key_activate, EventType::key_destroy}) {
    for (const auto& [writer, is_vaultd] :
         {std::pair("vaultd-b", true), {"vaultdx", false}, {"connectord-stripe", false}}) {
      std::vector<LoggedEntry> others = entries_;
      for (LoggedEntry& one : others) {
        if (one.entry.event_type == type) one.entry.instance = writer;
      }
      EXPECT_EQ(judge_erasure(others, kToken).verdict == ErasureVerdict::erased, is_vaultd)
          << writer;
    }
  }
}

TEST_F(ErasureTest, ABackupFromBeforeTheDeletionHoldsTheCardUntilItIsDeletedAgain) {
  create();
  single(EventType::backup_create, {"backup 1", "database-vault"});
  erase();
  activate(2);
  single(EventType::backup_restore, {"backup 1", "made", "with a newer log"});
  single(EventType::backup_restore, {"database vault"});
  destroy(1);
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
  erase();
  EXPECT_THAT(chain(), ElementsAre("created", "deleted", "rotated?", "destroyed 1", "rewrapped 2?",
                                   "destroyed 2?"));
  activate(3);
  destroy(2);
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
}

TEST_F(ErasureTest, EveryVersionSinceTheCreationMayHaveWrappedTheCardsKey) {
  create();
  activate(2);
  raise_floor(2);
  erase();
  activate(3);
  empty(2);
  destroy(2);
  EXPECT_THAT(chain(), ElementsAre("created", "deleted", "rotated 3", "rewrapped 1?",
                                   "destroyed 1?", "rewrapped 2", "destroyed 2"));
  destroy(1);
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
}

TEST_F(ErasureTest, AVersionIsInUseUntilItsFloorHasRisen) {
  activate(2);
  create();
  raise_floor(2);
  erase();
  activate(3);
  EXPECT_THAT(chain(), Contains("destroyed 1?")) << "an insert may have begun under it";
}

TEST_F(ErasureTest, ARotationThatBeganBeforeTheDeletionIsNoneAfterIt) {
  create();
  const Entry rotation = intent(EventType::key_activate, {kek(2), kek(1)});
  append(rotation);
  erase();
  end(rotation);
  EXPECT_THAT(chain(), ElementsAre("created", "deleted", "rotated?", "rewrapped 1?", "destroyed 1?",
                                   "rewrapped 2?", "destroyed 2?"));
}

TEST_F(ErasureTest, AReWrapFromBeforeTheRotationDoesNotEmptyTheLastVersion) {
  create();
  empty(1);
  erase();
  activate(2);
  EXPECT_THAT(chain(), Contains("rewrapped 1?"));
  entries_[empty(1)].entry.count = 7;  // moved, and some are left
  EXPECT_THAT(chain(), Contains("rewrapped 1?"));
}

TEST_F(ErasureTest, RotationsOfOtherKeysAndAbsurdVersionsShowNothing) {
  create();
  erase();
  act(intent(EventType::key_activate, {"strongroom/pan-fingerprint/2"}));
  act(intent(EventType::key_activate, {"strongroom/pan-encryption/2x"}));
  act(intent(EventType::key_activate, {}));
  EXPECT_THAT(chain(), Contains("rotated?"));
  act(intent(EventType::key_activate, {kek(4'000'000'000)}));
  EXPECT_THAT(chain(),
              ElementsAre("created", "deleted", "rotated 4000000000", "destroyed 3999999999?"));
  EXPECT_EQ(verdict(), ErasureVerdict::not_yet);
}

TEST_F(ErasureTest, AnExpiredCardIsErasedLikeADeletedOne) {
  create();
  act(of_card(EventType::token_expire));
  activate(2);
  destroy(1);
  EXPECT_EQ(verdict(), ErasureVerdict::erased);
}

TEST(ConcernsErasureTest, WhatIsJudgedIsAskedFor) {
  audit::EntryView view;
  view.event_type = EventType::token_lookup;
  view.gateway_token = kToken;
  EXPECT_TRUE(concerns_erasure(view, kToken));
  view.gateway_token = "tok_b";
  EXPECT_FALSE(concerns_erasure(view, kToken));
  for (const EventType type :
       {EventType::key_generate, EventType::key_activate, EventType::key_retire,
        EventType::key_rewrap, EventType::key_destroy, EventType::key_backup, EventType::key_ledger,
        EventType::backup_create, EventType::backup_restore}) {
    view.event_type = type;
    EXPECT_TRUE(concerns_erasure(view, kToken));
  }
}

TEST(ReadForErasureTest, WhatIsNotOfTheFormIsNotPassedOver) {
  Entry entry{.event_type = EventType::key_destroy, .phase = Phase::intent};
  entry.uid.bytes[0] = entry.operation_id.bytes[0] = std::byte{1};
  entry.instance = "vaultd";
  entry.resources = {kek(1)};
  std::string json = audit::to_json(entry);
  const auto read = read_for_erasure(json, kToken);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->resources, entry.resources);
  json.pop_back();
  const auto altered = read_for_erasure(json, kToken);
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().code(), ErrorCode::corrupt);
  const auto other = read_for_erasure("{}", kToken);
  EXPECT_TRUE(other && !*other);
}

}  // namespace
}  // namespace strongroom::ops

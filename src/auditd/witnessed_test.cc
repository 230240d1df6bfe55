// What witnesses bring: what is kept, what is refused, and that a store which was rolled back takes
// no entries any more.
#include "auditd/witnessed.h"

#include <fstream>

#include "audit/checkpoint_files.h"
#include "audit/log_reader.h"
#include "audit/testing/golden.h"
#include "auditd/admin_routes.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

using audit::Checkpoint;

constexpr std::string_view kPlace = "test.example/auditd";

const audit::NoteKey& witness_key(unsigned number = 1) {
  static const std::array<audit::NoteKey, 2> keys{
      audit::NoteKey{"w.example/1", audit::testing::signer_of(1).public_key(),
                     audit::NoteKeyType::cosignature},
      audit::NoteKey{"w.example/2", audit::testing::signer_of(2).public_key(),
                     audit::NoteKeyType::cosignature}};
  return keys.at(number - 1);
}

std::string cosigned(const std::string& note, std::int64_t time_s, unsigned number = 1) {
  const std::string text = audit::parse_note(note).value().text;
  return note +
         audit::cosign(text, time_s, witness_key(number).name, audit::testing::signer_of(number));
}

// A store of which several checkpoints of the operator's log are known.
class WitnessedTest : public AuditdTest {
 protected:
  WitnessedTest() {
    witnesses_ = {witness_key(1), witness_key(2)};
    auto auditd = start();
    auto writer = connected_client();
    for (int i = 0; i < 2; ++i) {
      SR_CHECK(record(*writer, operators_entry()));
      SR_CHECK(loop_.run_until_done(auditd->checkpoint_now()));
      notes_.push_back(newest_note());
    }
    stop(*writer);
    stop(auditd);
    notes_.push_back(newest_note());
  }

  audit::Entry operators_entry() {
    audit::Entry made = entry();
    made.merchant_id.clear();
    return made;
  }
  std::string newest_note() {
    const auto logs = audit::list_checkpoint_logs(files_, folder_ + "/audit").value();
    log_ = logs.back();
    return audit::LogReader::open(files_, folder_ + "/audit", log_).value().newest_note().value();
  }
  Checkpoint checkpoint_of(const std::string& note) const {
    return audit::parse_checkpoint_text(audit::parse_note(note).value().text).value();
  }
  std::string signed_note(std::uint64_t size, const audit::Hash& root,
                          std::string_view origin = {}) const {
    return audit::sign_checkpoint(
        {origin.empty() ? checkpoint_of(notes_[0]).origin : std::string(origin), size, root},
        test_signer());
  }
  std::vector<Checkpoint> last_signed() {
    return audit::read_last_signed(files_, folder_ + "/audit").value();
  }
  Result<Witnessed> open_witnessed(std::uint64_t size_at_start = 0) {
    return Witnessed::open(files_, clock_,
                           {.directory = folder_ + "/audit",
                            .place = std::string(kPlace),
                            .public_key = test_signer().public_key(),
                            .witnesses = witnesses_,
                            .sizes_at_start = {{log_, size_at_start}},
                            .broken_at = {}});
  }
  std::int64_t now_s() const { return clock_.now_us() / 1'000'000; }
  std::string kept() const {
    return read_file(audit::cosigned_path(folder_ + "/audit", log_), audit::kNoteBytesMax)
        .value_or("");
  }
  bool has_evidence() const {
    return fs::exists(folder_ + "/audit/" + std::string(audit::kRolledBackName));
  }

  // What the log tells of operators who carried a witness's word.
  std::vector<audit::Entry> carried() {
    auto entries = journal();
    std::erase_if(entries, [](const audit::Entry& entry) {
      return entry.event_type != audit::EventType::log_witness;
    });
    return entries;
  }
  static void expect_act(const audit::Entry& begun, const audit::Entry& ended,
                         audit::Outcome outcome) {
    EXPECT_EQ(begun.phase, audit::Phase::intent);
    EXPECT_EQ(ended.phase, audit::Phase::outcome);
    EXPECT_EQ(ended.outcome, outcome);
    EXPECT_EQ(ended.operation_id, begun.operation_id);
    EXPECT_EQ(begun.user, "uid:7");
    EXPECT_EQ(ended.user, "uid:7");
    EXPECT_EQ(ended.resources, begun.resources);
    EXPECT_EQ(ended.tree_size, begun.tree_size);
  }

  std::vector<std::string> notes_;  // ascending
  std::string log_;
};

TEST_F(WitnessedTest, KeepsWhatAWitnessHasSeenSinceTheStart) {
  auto witnessed = open_witnessed(checkpoint_of(notes_[1]).size).value();
  EXPECT_TRUE(witnessed.has_witnesses());
  EXPECT_FALSE(witnessed.newest());
  const std::string note = cosigned(notes_[2], 1'000);
  EXPECT_EQ(witnessed.take_note(note, last_signed()).value().testimony, Testimony::witnessed);
  EXPECT_EQ(kept(), note);
  ASSERT_TRUE(witnessed.newest());
  EXPECT_EQ(witnessed.newest()->size, checkpoint_of(notes_[2]).size);
  EXPECT_EQ(witnessed.newest()->time_s, 1'000);
}

TEST_F(WitnessedTest, TellsWhoseLinesItTook) {
  auto witnessed = open_witnessed().value();
  const auto names = [&](const std::string& note) {
    std::vector<std::string> found;
    const Heard heard = witnessed.take_note(note, last_signed()).value();
    for (const audit::NoteKey& key : heard.witnesses) found.push_back(key.name);
    return found;
  };
  using Names = std::vector<std::string>;
  const std::string& note = notes_[2];
  const std::string first = cosigned(note, 1'000);
  EXPECT_EQ(names(first), Names{"w.example/1"});
  EXPECT_EQ(names(cosigned(first, 1'000, 2)), (Names{"w.example/1", "w.example/2"}));
  EXPECT_EQ(names(cosigned(first, now_s() + 2 * kClocksDifferMaxS, 2)), Names{"w.example/1"});
  const std::string text = audit::parse_note(note).value().text;
  EXPECT_EQ(names(first + audit::cosign(text, 1'000, "w.example/2", audit::testing::signer_of(3))),
            Names{"w.example/1"})
      << "by another key than is configured";
  EXPECT_EQ(names(signed_note(99, checkpoint_of(note).root)), Names{}) << "it was rolled back";
}

TEST_F(WitnessedTest, WhatWasThereBeforeTheStartIsNoNews) {
  auto witnessed = open_witnessed(checkpoint_of(notes_[1]).size).value();
  for (const std::string& note : {notes_[0], notes_[1]}) {
    EXPECT_EQ(witnessed.take_note(cosigned(note, now_s()), last_signed()).value().testimony,
              Testimony::consistent);
  }
  EXPECT_FALSE(witnessed.newest());
}

TEST_F(WitnessedTest, ASmallerCheckpointDoesNotReplaceAGreaterOne) {
  auto witnessed = open_witnessed().value();
  const std::string note = cosigned(notes_[2], 1'000);
  EXPECT_TRUE(witnessed.take_note(note, last_signed()));
  EXPECT_TRUE(witnessed.take_note(cosigned(notes_[1], 2'000), last_signed()));
  EXPECT_EQ(kept(), note);
}

TEST_F(WitnessedTest, JoinsTheLinesOfWitnessesForTheSameCheckpoint) {
  auto witnessed = open_witnessed().value();
  EXPECT_TRUE(witnessed.take_note(cosigned(notes_[2], 1'000, 2), last_signed()));
  EXPECT_TRUE(witnessed.take_note(cosigned(notes_[2], 1'100, 1), last_signed()));
  EXPECT_EQ(kept(), cosigned(cosigned(notes_[2], 1'100, 1), 1'000, 2));
  EXPECT_TRUE(witnessed.take_note(cosigned(notes_[2], 1'200, 2), last_signed()));
  EXPECT_EQ(kept(), cosigned(cosigned(notes_[2], 1'100, 1), 1'200, 2));
  EXPECT_EQ(witnessed.newest()->time_s, 1'200);
}

TEST_F(WitnessedTest, ACosignatureOfLaterThanNowIsNone) {
  auto witnessed = open_witnessed().value();
  const std::int64_t latest = now_s() + kClocksDifferMaxS;
  const std::string from_the_future = cosigned(notes_[2], latest + 60, 1);
  EXPECT_EQ(witnessed.take_note(from_the_future, last_signed()).error().code(),
            ErrorCode::permission_denied);
  EXPECT_FALSE(witnessed.newest());
  EXPECT_EQ(kept(), "");
  EXPECT_EQ(
      witnessed.take_note(cosigned(from_the_future, 1'000, 2), last_signed()).value().testimony,
      Testimony::witnessed);
  EXPECT_EQ(kept(), cosigned(notes_[2], 1'000, 2)) << "another's is taken, that one is not";
  EXPECT_EQ(witnessed.newest()->time_s, 1'000);
  EXPECT_TRUE(witnessed.take_note(cosigned(notes_[2], latest - 60, 1), last_signed()));
  EXPECT_EQ(witnessed.newest()->time_s, latest - 60) << "clocks differ a little";
  EXPECT_EQ(witnessed.take_note(signed_note(99, checkpoint_of(notes_[2]).root), last_signed())
                .value()
                .testimony,
            Testimony::rolled_back)
      << "what contradicts needs no time";
}

TEST_F(WitnessedTest, KeepsNoLineThatItDidNotCheck) {
  witnesses_ = {witness_key(1)};
  auto witnessed = open_witnessed().value();
  const std::string note = cosigned(notes_[2], 1'000, 1);
  EXPECT_TRUE(witnessed.take_note(cosigned(note, 1'000, 2), last_signed()));
  EXPECT_EQ(kept(), note);
}

TEST_F(WitnessedTest, RefusesWhatProvesNothing) {
  auto witnessed = open_witnessed().value();
  const Checkpoint newest = checkpoint_of(notes_[2]);
  const auto code = [&](const std::string& note) {
    return witnessed.take_note(note, last_signed()).error().code();
  };
  EXPECT_EQ(code("no note"), ErrorCode::invalid_argument);
  EXPECT_EQ(code(audit::sign_note("no checkpoint\n", newest.origin, test_signer())),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code(signed_note(9, newest.root, "other.example/auditd/operator/2026")),
            ErrorCode::invalid_argument);
  EXPECT_EQ(
      code(audit::sign_checkpoint({newest.origin, 99, newest.root}, audit::testing::signer_of(9))),
      ErrorCode::permission_denied);
  EXPECT_EQ(code(notes_[2]), ErrorCode::permission_denied) << "nobody has cosigned it";
  const std::string line = cosigned(notes_[1], 1'000).substr(notes_[1].size());
  EXPECT_EQ(code(notes_[2] + line), ErrorCode::permission_denied) << "of another checkpoint";
  EXPECT_FALSE(witnessed.rolled_back());
  EXPECT_EQ(kept(), "");
}

TEST_F(WitnessedTest, FindsThatTheStoreWasRolledBack) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  const Checkpoint older = checkpoint_of(notes_[1]);
  const std::vector<std::string> proofs{
      signed_note(newest.size + 1, newest.root), signed_note(newest.size, older.root),
      signed_note(older.size, newest.root), signed_note(1, newest.root),
      signed_note(2, newest.root, std::string(kPlace) + "/mer_1/2026")};
  for (const std::string& proof : proofs) {
    auto witnessed = open_witnessed().value();
    EXPECT_FALSE(witnessed.rolled_back());
    EXPECT_EQ(witnessed.take_note(proof, last_signed()).value().testimony, Testimony::rolled_back)
        << proof;
    EXPECT_EQ(witnessed.rolled_back(), checkpoint_of(proof));
    EXPECT_EQ(open_witnessed()->rolled_back(), checkpoint_of(proof)) << "at the next start";
    EXPECT_TRUE(witnessed.settle({}));
    EXPECT_FALSE(witnessed.rolled_back());
    EXPECT_FALSE(has_evidence());
  }
}

TEST_F(WitnessedTest, FindsItWithoutItsTreesWhereTheyAreNotNeeded) {
  fs::remove_all(folder_ + "/audit/trees");
  auto witnessed = open_witnessed().value();
  const Checkpoint newest = checkpoint_of(notes_[2]);
  EXPECT_FALSE(witnessed.take_note(signed_note(1, newest.root), last_signed())) << "not judged";
  EXPECT_FALSE(witnessed.rolled_back());
  EXPECT_EQ(witnessed.take_note(signed_note(newest.size + 1, newest.root), last_signed())
                .value()
                .testimony,
            Testimony::rolled_back);
}

TEST_F(WitnessedTest, TakesAWitnesssWordForASize) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  auto witnessed = open_witnessed().value();
  EXPECT_EQ(witnessed.take_size("x", 1, last_signed()).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(witnessed.take_size(newest.origin, newest.size, last_signed()).value(),
            Testimony::consistent);
  EXPECT_FALSE(witnessed.rolled_back());
  EXPECT_EQ(witnessed.take_size(newest.origin, newest.size + 1, last_signed()).value(),
            Testimony::rolled_back);
  EXPECT_EQ(open_witnessed()->rolled_back()->size, newest.size + 1);
}

TEST_F(WitnessedTest, ARecordedBreakSettlesWhatWasSeenBefore) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  auto witnessed = open_witnessed().value();
  EXPECT_TRUE(witnessed.take_size(newest.origin, newest.size + 1, last_signed()));
  const std::string broken_at = newest.origin.substr(newest.origin.size() - 4) + "1231T235959Z";
  std::vector<Checkpoint> after = last_signed();
  after.push_back({newest.origin + "b" + broken_at, 1, newest.root});
  EXPECT_EQ(witnessed.take_size(newest.origin, 99, after).value(), Testimony::rolled_back)
      << "the record alone proves no break";
  EXPECT_TRUE(witnessed.settle(broken_at));
  EXPECT_FALSE(witnessed.rolled_back());
  EXPECT_EQ(witnessed.take_size(newest.origin, 99, after).value(), Testimony::settled);
  EXPECT_EQ(witnessed.take_note(signed_note(99, newest.root), after).value().testimony,
            Testimony::settled);
  EXPECT_EQ(witnessed.take_size(after.back().origin, 1, after).value(), Testimony::consistent);
  EXPECT_EQ(witnessed.take_size(after.back().origin, 2, after).value(), Testimony::rolled_back);
  const std::string later = std::string(kPlace) + "/operator/2999";
  EXPECT_EQ(witnessed.take_size(later, 1, after).value(), Testimony::rolled_back);
}

TEST_F(WitnessedTest, ADamagedTreeIsNoRollback) {
  const std::string path = audit::level_path(folder_ + "/audit", log_, 0);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << "damage";
  auto witnessed = open_witnessed().value();
  EXPECT_EQ(witnessed.take_note(cosigned(notes_[1], 1'000), last_signed()).error().code(),
            ErrorCode::corrupt);
  EXPECT_FALSE(witnessed.rolled_back());
}

TEST_F(WitnessedTest, DamagedEvidenceIsEvidence) {
  for (const char* text : {"", "x", "\n\n"}) {
    std::ofstream(folder_ + "/audit/rolled-back") << text;
    EXPECT_TRUE(open_witnessed()->rolled_back()) << text;
  }
}

TEST_F(WitnessedTest, RefusesAKeyThatIsNoWitnesss) {
  witnesses_ = {{"w.example/1", test_signer().public_key(), audit::NoteKeyType::ed25519}};
  EXPECT_EQ(open_witnessed().error().code(), ErrorCode::invalid_argument);
}

TEST_F(WitnessedTest, ARolledBackStoreTakesNoEntriesAnyMore) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  auto auditd = start();
  auto writer = connected_client();
  EXPECT_TRUE(record(*writer, entry()));
  EXPECT_EQ(loop_.run_until_done(auditd->take_size(newest.origin, 99)).value(),
            Testimony::rolled_back);
  EXPECT_EQ(record(*writer, entry()).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(auditd->not_ready(), "it was rolled back");
  ASSERT_TRUE(auditd->rolled_back());
  EXPECT_EQ(auditd->rolled_back()->size, 99U);
  stop(*writer);
  stop(auditd);
  const std::size_t entries = journal().size();
  auditd = start();
  writer = client();
  EXPECT_TRUE(loop_.run_until_done(writer->connected(2s)));
  EXPECT_FALSE(writer->ready());
  EXPECT_EQ(auditd->not_ready(), "it was rolled back");
  stop(*writer);
  stop(auditd);
  EXPECT_EQ(journal().size(), entries) << "not even log.start";
}

TEST_F(WitnessedTest, AnOperatorWhoCarriesAWitnesssWordIsNamed) {
  auto auditd = start();
  const std::string seen = cosigned(notes_[2], now_s());
  EXPECT_TRUE(loop_.run_until_done(auditd->take_note(seen)));
  EXPECT_TRUE(carried().empty()) << "audit-relay brought it";
  EXPECT_TRUE(loop_.run_until_done(auditd->take_note(seen, "uid:7")));
  EXPECT_EQ(loop_.run_until_done(auditd->take_note(notes_[2], "uid:7")).error().code(),
            ErrorCode::permission_denied);
  EXPECT_FALSE(loop_.run_until_done(auditd->take_note("no note", "uid:7")));
  stop(auditd);
  const auto told = carried();
  ASSERT_EQ(told.size(), 4U) << "of what is no checkpoint there is nothing to tell";
  expect_act(told[0], told[1], audit::Outcome::done);
  expect_act(told[2], told[3], audit::Outcome::failed);
  EXPECT_EQ(told[0].resources, std::vector<std::string>{checkpoint_of(notes_[2]).origin});
  EXPECT_EQ(told[0].tree_size, checkpoint_of(notes_[2]).size);
  EXPECT_EQ(verify().open_intent_count, 0U);
  EXPECT_TRUE(verify().ok());
}

TEST_F(WitnessedTest, WhoShowsThatAStoreWasRolledBackIsNamedBeforeItTakesNoEntries) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  auto auditd = start();
  EXPECT_EQ(loop_.run_until_done(auditd->take_size(newest.origin, 99, "uid:7")).value(),
            Testimony::rolled_back);
  ASSERT_EQ(carried().size(), 2U);
  expect_act(carried()[0], carried()[1], audit::Outcome::done);
  EXPECT_EQ(carried()[0].tree_size, 99U);
  loop_.run_until_done(loop_.sleep_for(120ms));
  EXPECT_EQ(journal().back().event_type, audit::EventType::log_failure);
  EXPECT_EQ(loop_.run_until_done(auditd->take_size(newest.origin, 98, "uid:7")).value(),
            Testimony::rolled_back);
  EXPECT_EQ(carried().size(), 2U) << "nothing is taken";
  EXPECT_TRUE(loop_.run_until_done(auditd->open_new_shards("restored", "uid:7")));
  const auto told = carried();
  ASSERT_EQ(told.size(), 4U) << "it waited for the break";
  expect_act(told[2], told[3], audit::Outcome::done);
  EXPECT_EQ(told[2].tree_size, 98U);
  stop(auditd);
  EXPECT_TRUE(verify().ok());
}

TEST_F(WitnessedTest, AnActThatTheProcessDidNotOutliveEndsAtTheNextStart) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  {
    auto store = open_store();
    ASSERT_TRUE(store);
    ASSERT_TRUE(store->ledger->record_intent({.operation_id = entry().operation_id,
                                              .event_type = audit::EventType::log_witness,
                                              .phase = audit::Phase::intent,
                                              .time_us = clock_.now_us(),
                                              .user = "uid:7",
                                              .resources = {newest.origin},
                                              .tree_size = newest.size}));
  }
  auto auditd = start();
  stop(auditd);
  const auto told = carried();
  ASSERT_EQ(told.size(), 2U);
  expect_act(told[0], told[1], audit::Outcome::unknown);
  EXPECT_EQ(verify().open_intent_count, 0U);
}

TEST_F(WitnessedTest, ARollbackIsAFailureOfTheLoggingUntilItIsSettled) {
  const Checkpoint newest = checkpoint_of(notes_[2]);
  auto auditd = start();
  const std::int64_t before_us = clock_.now_us();
  EXPECT_TRUE(loop_.run_until_done(auditd->take_size(newest.origin, 99)));
  stop(auditd);
  auto told = failures();
  ASSERT_EQ(told.size(), 1U) << "the last entry that the store takes";
  EXPECT_EQ(journal().back().uid, told[0].uid);
  EXPECT_EQ(told[0].resources, std::vector<std::string>{"history"});
  EXPECT_EQ(told[0].operation, "it was rolled back");
  EXPECT_EQ(told[0].outcome, audit::Outcome::failed);
  EXPECT_GE(told[0].time_us / 1000, before_us / 1000);
  testing::internal::CaptureStderr();
  auditd = start();
  loop_.run_until_done(loop_.sleep_for(120ms));
  EXPECT_TRUE(testing::internal::GetCapturedStderr().contains("it was rolled back"));
  EXPECT_EQ(failures().size(), 1U) << "nothing is taken";
  EXPECT_TRUE(loop_.run_until_done(auditd->open_new_shards("restored", "uid:7")));
  stop(auditd);
  told = failures();
  ASSERT_EQ(told.size(), 4U) << "it ends with each run, and begins anew";
  EXPECT_EQ(told[1].operation_id, told[0].operation_id);
  EXPECT_EQ(told[2].resources, std::vector<std::string>{"history"});
  EXPECT_EQ(told[2].outcome, audit::Outcome::failed);
  EXPECT_EQ(told[3].operation_id, told[2].operation_id);
  EXPECT_EQ(told[3].outcome, audit::Outcome::success);
  EXPECT_TRUE(verify().ok());
}

TEST_F(WitnessedTest, TellsWhenNobodyHasSeenTheLog) {
  auto auditd = start();
  EXPECT_TRUE(auditd->unwitnessed().starts_with("unwitnessed since 20"));
  EXPECT_TRUE(loop_.run_until_done(auditd->checkpoint_now()));
  const std::string note = newest_note();
  const std::int64_t now_s = clock_.now_us() / 1'000'000;
  EXPECT_EQ(
      loop_.run_until_done(auditd->take_note(cosigned(note, now_s - 7'200))).value().testimony,
      Testimony::witnessed);
  EXPECT_EQ(auditd->unwitnessed(), "") << "old, but of all there is";
  stop(auditd);
  auditd = start();
  EXPECT_TRUE(loop_.run_until_done(auditd->checkpoint_now()));
  const std::string started = newest_note();
  auto writer = connected_client();
  EXPECT_TRUE(record(*writer, operators_entry()));
  EXPECT_TRUE(loop_.run_until_done(auditd->checkpoint_now()));
  EXPECT_EQ(
      loop_.run_until_done(auditd->take_note(cosigned(started, now_s - 7'200))).value().testimony,
      Testimony::witnessed);
  EXPECT_TRUE(auditd->unwitnessed().starts_with("unwitnessed since 20"));
  EXPECT_EQ(loop_.run_until_done(auditd->take_note(cosigned(started, now_s))).value().testimony,
            Testimony::witnessed);
  EXPECT_EQ(auditd->unwitnessed(), "") << "an hour has not passed";
  stop(*writer);
  stop(auditd);
  witnesses_.clear();
  auditd = start();
  EXPECT_EQ(auditd->unwitnessed(), "no witness is set");
  stop(auditd);
}

class WitnessRouteTest : public WitnessedTest {
 protected:
  http::Response ask(Auditd* auditd, std::string body, bool local = true) {
    http::Router router;
    add_admin_routes(router, [auditd] { return auditd; });
    http::Head head;
    head.method = http::Method::post;
    head.path = "/v1/witness";
    const http::Peer peer{
        .identity = {}, .source = "unix", .uid = local ? std::optional(::geteuid()) : std::nullopt};
    http::Request request(head, std::as_writable_bytes(std::span(body)), peer, "id");
    return loop_.run_until_done(router.dispatch(request));
  }
  static std::string size_json(const std::string& origin, const std::string& size) {
    return "{\"origin\":\"" + origin + "\",\"size\":" + size + "}";
  }
};

TEST_F(WitnessRouteTest, TakesNotesAndSizes) {
  const std::string origin = checkpoint_of(notes_[0]).origin;
  auto auditd = start();
  std::string note = cosigned(notes_[1], 1'000);
  for (std::size_t at = 0; (at = note.find('\n', at)) != std::string::npos; at += 2) {
    note.replace(at, 1, "\\n");
  }
  EXPECT_EQ(ask(auditd.get(), "{\"note\":\"" + note + "\"}").body,
            R"({"testimony":"consistent","witnesses":[")" + witness_key().text() + "\"]}");
  EXPECT_EQ(ask(auditd.get(), size_json(origin, "1")).body,
            R"({"testimony":"consistent","witnesses":[]})");
  EXPECT_EQ(ask(auditd.get(), size_json(origin, "1"), false).status, 403);
  EXPECT_EQ(ask(nullptr, size_json(origin, "1")).status, 503);
  EXPECT_EQ(ask(auditd.get(), size_json("x", "1")).status, 422);
  for (const char* body : {"", "{}", R"({"note":1})", R"({"note":"x","size":1})",
                           R"({"origin":"x"})", R"({"origin":"x","size":-1})"}) {
    EXPECT_GE(ask(auditd.get(), body).status, 400) << body;
  }
  EXPECT_FALSE(auditd->rolled_back());
  EXPECT_EQ(ask(auditd.get(), size_json(origin, "99")).body,
            R"({"testimony":"rolled_back","witnesses":[]})");
  EXPECT_TRUE(auditd->rolled_back());
  stop(auditd);
}

TEST_F(WitnessRouteTest, WithoutAWitnessNobodysWordIsTaken) {
  witnesses_.clear();
  auto auditd = start();
  EXPECT_EQ(ask(auditd.get(), size_json(checkpoint_of(notes_[0]).origin, "99")).status, 403);
  EXPECT_FALSE(auditd->rolled_back());
  stop(auditd);
}

TEST_F(WitnessRouteTest, TheRelaysSocketTakesWhatWitnessesSayAlone) {
  http::Router router;
  add_witness_route(router, [] { return nullptr; });
  const std::map<std::string, int> answers{
      {"/v1/witness", 503}, {"/v1/breaks", 404}, {"/v1/checkpoints", 404}};
  for (const auto& [path, status] : answers) {
    std::string body = R"({"origin":"x","size":1})";
    http::Head head;
    head.method = http::Method::post;
    head.path = path;
    const http::Peer peer{.identity = {}, .source = "unix", .uid = ::geteuid()};
    http::Request request(head, std::as_writable_bytes(std::span(body)), peer, "id");
    EXPECT_EQ(loop_.run_until_done(router.dispatch(request)).status, status) << path;
  }
}

}  // namespace
}  // namespace strongroom::auditd

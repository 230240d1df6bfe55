// Every answer of the protocol, and that a witness never forgets what it has cosigned.
#include "witness/witness.h"

#include <fmt/core.h>

#include "witness/testing/witness_fixture.h"

namespace strongroom::witness {
namespace {

using audit::testing::golden_signer;
using audit::testing::kCheckpoint;
using audit::testing::kOrigin;
using audit::testing::kWitnessLine;

constexpr std::string_view kPlain = "text/plain; charset=utf-8";

TEST_F(WitnessTest, AnswersWithTheCosignatureOfTheGoldenVectors) {
  auto witness = open();
  ASSERT_TRUE(witness);
  EXPECT_EQ(witness->key().text(), audit::testing::kWitnessVkey);
  const Answer answer = witness->add_checkpoint(audit::add_checkpoint_body(0, {}, kCheckpoint));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, kPlain);
  EXPECT_EQ(answer.body, kWitnessLine);
  EXPECT_EQ(witness->checkpoint(origin_hash(kOrigin)).value(),
            std::string(kCheckpoint) + std::string(kWitnessLine));
}

TEST_F(WitnessTest, GivesEveryAnswer) {
  auto witness = open();
  ASSERT_TRUE(witness);
  const auto status = [&](const std::string& text) { return witness->add_checkpoint(text).status; };
  EXPECT_EQ(status("old 0\n"), 400);
  const std::string stranger =
      audit::sign_checkpoint({"other.example/log", 1, heads_[1].root}, golden_signer());
  EXPECT_EQ(status(audit::add_checkpoint_body(0, {}, stranger)), 404);
  const std::string by_stranger = audit::sign_checkpoint({std::string(kOrigin), 1, heads_[1].root},
                                                         audit::testing::witness_signer());
  EXPECT_EQ(status(audit::add_checkpoint_body(0, {}, by_stranger)), 403);
  EXPECT_EQ(status(body(0, 4)), 200);
  EXPECT_EQ(status(body(4, 7)), 200);
  EXPECT_EQ(status(body(8, 7)), 400);
  const Answer conflict = witness->add_checkpoint(body(4, 9));
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.content_type, "text/x.tlog.size");
  EXPECT_EQ(conflict.body, "7\n");
  EXPECT_EQ(status(audit::add_checkpoint_body(7, {}, note(9))), 422);
  EXPECT_EQ(status(body(7, 9)), 200);
}

TEST_F(WitnessTest, AnswersTheSameCheckpointAgainWithANewTime) {
  auto witness = open();
  const Answer first = witness->add_checkpoint(body(0, 4));
  clock_.now_s += 60;
  const Answer again = witness->add_checkpoint(body(4, 4));
  EXPECT_EQ(again.status, 200);
  EXPECT_NE(again.body, first.body);
  const auto kept = audit::parse_note(witness->checkpoint(origin_hash(kOrigin)).value()).value();
  const auto verifier = audit::CosignatureVerifier::create(witness->key()).value();
  EXPECT_EQ(verifier.newest_s(kept).value(), clock_.now_s);
}

TEST_F(WitnessTest, RemembersAcrossItsOwnEnd) {
  for (std::uint64_t size = 0; size < kEntries; ++size) {
    auto witness = open();
    ASSERT_TRUE(witness);
    EXPECT_EQ(witness->add_checkpoint(body(size, size + 1)).status, 200) << size;
  }
  auto witness = open();
  // The answer to the last one was lost with the process that gave it.
  const Answer again = witness->add_checkpoint(body(kEntries - 1, kEntries));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.body, std::to_string(kEntries) + "\n");
  EXPECT_EQ(witness->add_checkpoint(body(kEntries, kEntries)).status, 200);
}

TEST_F(WitnessTest, KeepsTheLogsApart) {
  const std::string other = "other.example/log";
  const audit::NoteKey key{other, golden_signer().public_key()};
  write("etc/logs", "log " + std::string(audit::testing::kVkey) + "\nlog " + key.text() + "\n");
  auto witness = open();
  EXPECT_EQ(witness->add_checkpoint(body(0, 9)).status, 200);
  const std::string first = audit::sign_checkpoint({other, 3, heads_[3].root}, golden_signer());
  EXPECT_EQ(witness->add_checkpoint(audit::add_checkpoint_body(0, {}, first)).status, 200);
  EXPECT_NE(witness->checkpoint(origin_hash(other)).value(),
            witness->checkpoint(origin_hash(kOrigin)).value());
}

TEST_F(WitnessTest, KnowsALogFromTheNextRequestOn) {
  write("etc/logs", "");
  auto witness = open();
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 404);
  write("etc/logs", "log " + std::string(audit::testing::kVkey) + "\n");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200);
}

TEST_F(WitnessTest, TakesALaterShardOfALogFromItsBeginning) {
  const std::string last_year = "v.example/auditd/operator/2026";
  const std::string this_year = "v.example/auditd/operator/2027";
  write("etc/logs", "log " + audit::NoteKey{last_year, golden_signer().public_key()}.text() + "\n");
  clock_.set("2026-12-31T23:00:00Z");
  const auto note_of = [&](const std::string& origin, std::uint64_t size) {
    return audit::sign_checkpoint({origin, size, heads_[size].root}, golden_signer());
  };
  const auto from = [&](std::uint64_t old_size, const std::string& note) {
    const std::uint64_t size = audit::parse_checkpoint_text(audit::parse_note(note)->text)->size;
    return audit::add_checkpoint_body(
        old_size, audit::consistency_proof(hashes_, old_size, size).value(), note);
  };
  auto witness = open();
  const auto status = [&](const std::string& text) { return witness->add_checkpoint(text).status; };
  EXPECT_EQ(status(from(0, note_of(last_year, 9))), 200);
  const Answer begun = witness->add_checkpoint(from(9, note_of(this_year, 10)));
  EXPECT_EQ(begun.status, 409);
  EXPECT_EQ(begun.body, "0\n");
  const std::string by_stranger =
      audit::sign_checkpoint({this_year, 3, heads_[3].root}, audit::testing::witness_signer());
  EXPECT_EQ(status(from(0, by_stranger)), 403) << "a known log, another key";
  EXPECT_EQ(status(from(0, note_of("v.example/auditd/operator/2025", 3))), 404);
  EXPECT_EQ(status(from(0, note_of("v.example/auditd/mer_1/2027", 3))), 404);
  EXPECT_EQ(status(from(0, note_of("v.example/auditd/operator/2028", 3))), 404) << "far ahead";
  EXPECT_EQ(state_files(folder_).size(), 1U) << "what is refused leaves nothing";
  EXPECT_EQ(status(from(0, note_of(this_year, 3))), 200);
  EXPECT_EQ(state_files(folder_).size(), 2U);
  witness = fail({ErrorCode::unavailable, "ended"});
  witness = open();
  EXPECT_EQ(status(from(0, note_of(this_year, 4))), 409) << "a restart remembers";
  EXPECT_EQ(status(from(3, note_of(this_year, 4))), 200);
  EXPECT_EQ(status(from(9, note_of(last_year, 10))), 200) << "what came late";
}

constexpr std::string_view kOperators = "v.example/auditd/operator/";
constexpr std::string_view kOthers = "w.example/auditd/operator/";

std::string known(std::string_view stem) {
  const audit::NoteKey key{fmt::format("{}2026", stem), golden_signer().public_key()};
  return fmt::format("log {}\n", key.text());
}

TEST_F(WitnessTest, BeginsNoMoreLogsOfAnOwnerThanItHasRoomFor) {
  clock_.set("2026-11-22T15:00:00Z");
  write("etc/logs", known(kOperators) + known(kOthers));
  auto witness = open();
  const auto begin = [&](std::string_view stem, std::ptrdiff_t number) {
    const std::string origin =
        fmt::format("{}2026b20261122T15{:02}{:02}Z", stem, number / 60, number % 60);
    return witness->add_checkpoint(beginning(origin, 3)).status;
  };
  for (std::ptrdiff_t i = 0; i < kShardsMax; ++i) ASSERT_EQ(begin(kOperators, i), 200) << i;
  EXPECT_EQ(begin(kOperators, kShardsMax), 503);
  EXPECT_EQ(begin(kOperators, 0), 409) << "it is known by now";
  EXPECT_EQ(begin(kOthers, 0), 200) << "another owner's room is his own";
  witness = fail({ErrorCode::unavailable, "ended"});
  witness = open();
  EXPECT_EQ(begin(kOperators, kShardsMax), 503) << "a restart counts again";
  EXPECT_EQ(begin(kOthers, 1), 200);
  const audit::NoteKey named{fmt::format("{}2026b20261122T150416Z", kOperators),
                             golden_signer().public_key()};
  write("etc/logs", known(kOperators) + known(kOthers) + "log " + named.text() + "\n");
  EXPECT_EQ(begin(kOperators, kShardsMax), 200) << "its keeper has named it";
  EXPECT_EQ(begin(kOperators, kShardsMax + 1), 503);
}

TEST_F(WitnessTest, ShowsTheLogThatComesNext) {
  clock_.set("2026-11-22T15:00:00Z");
  write("etc/logs", known(kOperators) + known(kOthers) + known("v.example/auditd/operator-2/") +
                        known("v.example/auditd/a/") + "log " + std::string(audit::testing::kVkey) +
                        "\n");
  auto witness = open();
  const auto next = [&](std::string_view after) -> std::string {
    const auto note = witness->checkpoint_after(after);
    if (!note) return std::string(note.error().code() == ErrorCode::not_found ? "" : "error");
    return note->substr(0, note->find('\n'));
  };
  const auto begin = [&](const std::string& origin) {
    EXPECT_EQ(witness->add_checkpoint(beginning(origin, 3)).status, 200) << origin;
  };
  const std::string before_all(kOperators);
  EXPECT_EQ(next(before_all), "") << "nothing is cosigned yet";
  const std::vector<std::string> shards{before_all + "2026", before_all + "2026b20261122T150000Z",
                                        before_all + "2027"};
  for (const std::string& origin : shards) begin(origin);
  for (const char* other : {"w.example/auditd/operator/2026", "v.example/auditd/operator-2/2026",
                            "v.example/auditd/a/2026"}) {
    begin(other);
  }
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200) << "of a log that has no shards";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(next(before_all), shards[0]);
    EXPECT_EQ(next(shards[0]), shards[1]);
    EXPECT_EQ(next(before_all + "2026b2"), shards[1]) << "no log has this origin";
    EXPECT_EQ(next(shards[1]), shards[2]);
    EXPECT_EQ(next(shards[2]), "") << "nor another owner's";
    for (const char* stranger : {"", "/", "v.example/auditd/", "v.example/auditd/operator",
                                 "v.example/auditd/mer_1/", "vault.example/", "x/y/z/"}) {
      EXPECT_EQ(next(stranger), "") << stranger;
    }
    EXPECT_EQ(witness->checkpoint_after(shards[0]).value(),
              witness->checkpoint(origin_hash(shards[1])).value());
    witness = fail({ErrorCode::unavailable, "ended"});
    witness = open();
  }
  const std::string file = "state/" + origin_hash(shards[1]);
  const std::string kept = witness->checkpoint(origin_hash(shards[1])).value();
  write(file, "x");
  EXPECT_EQ(next(shards[0]), "error") << "damage is not absence";
  witness = fail({ErrorCode::unavailable, "ended"});
  witness = open();
  EXPECT_EQ(next(before_all), "error") << "nor after a start";
  EXPECT_EQ(next(shards[2]), "error") << "which log it is of nobody can tell";
  write(file, kept);
  EXPECT_EQ(next(shards[0]), shards[1]);
  EXPECT_EQ(next(shards[2]), "");
}

TEST_F(WitnessTest, DropsSignaturesThatItDidNotCheck) {
  auto witness = open();
  const Answer answer = witness->add_checkpoint(
      audit::add_checkpoint_body(0, {}, note(4) + std::string(kWitnessLine)));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(witness->checkpoint(origin_hash(kOrigin)).value(), note(4) + answer.body);
}

TEST_F(WitnessTest, RefusesWhatItCouldNotReadAgain) {
  auto witness = open();
  const std::string text = audit::checkpoint_text({std::string(kOrigin), 4, heads_[4].root});
  const std::size_t room = audit::kNoteBytesMax - note(4).size();
  const std::string filled =
      audit::sign_note(text + std::string(room - 1, 'x') + "\n", kOrigin, golden_signer());
  ASSERT_TRUE(audit::parse_note(filled));
  EXPECT_EQ(witness->add_checkpoint(audit::add_checkpoint_body(0, {}, filled)).status, 400);
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200);
}

TEST_F(WitnessTest, DoesNotAnswerBeforeItsStateIsKept) {
  auto witness = open();
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200);
  fs::rename(folder_ + "/state", folder_ + "/gone");
  fs::create_directory_symlink(folder_ + "/nowhere", folder_ + "/state");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 503);
  fs::remove(folder_ + "/state");
  fs::rename(folder_ + "/gone", folder_ + "/state");
  EXPECT_EQ(witness->add_checkpoint(body(4, 5)).status, 200);
}

TEST_F(WitnessTest, DoesNotTakeDamageForABeginning) {
  auto witness = open();
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200);
  const std::string kept = witness->checkpoint(origin_hash(kOrigin)).value();
  std::string other_size = kept;
  other_size.replace(kept.find("\n4\n"), 3, "\n3\n");
  for (const std::string& damaged :
       {std::string(), std::string("x"), note(4), other_size, kept.substr(0, kept.size() - 1)}) {
    write("state/" + origin_hash(kOrigin), damaged);
    EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 503) << damaged;
    EXPECT_FALSE(witness->checkpoint(origin_hash(kOrigin))) << damaged;
  }
  write("state/" + origin_hash(kOrigin), kept);
  EXPECT_EQ(witness->add_checkpoint(body(4, 5)).status, 200);
}

TEST_F(WitnessTest, DoesNotTakeAnotherLogsStateForThisOnes) {
  auto witness = open();
  const std::string other = "other.example/log";
  const audit::NoteKey key{other, golden_signer().public_key()};
  write("etc/logs", "log " + std::string(audit::testing::kVkey) + "\nlog " + key.text() + "\n");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200);
  fs::copy(state_path(), folder_ + "/state/" + origin_hash(other));
  const std::string first = audit::sign_checkpoint({other, 5, heads_[5].root}, golden_signer());
  EXPECT_EQ(witness->add_checkpoint(audit::add_checkpoint_body(4, {}, first)).status, 503);
}

TEST_F(WitnessTest, DoesNotJudgeWithAFileOfLogsThatItCannotRead) {
  auto witness = open();
  write("etc/logs", "log me\n");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 503);
  fs::remove(folder_ + "/etc/logs");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 503);
}

TEST_F(WitnessTest, GivesNoCheckpointOfWhatItHasNotCosigned) {
  auto witness = open();
  for (const std::string& hash : {origin_hash(kOrigin), std::string("x"), std::string(64, 'g'),
                                  std::string("../etc/logs"), std::string(64, 'A')}) {
    EXPECT_EQ(witness->checkpoint(hash).error().code(), ErrorCode::not_found) << hash;
  }
}

TEST_F(WitnessTest, OpensOnceAndUnderANameThatAKeyMayHave) {
  {
    auto first = open();
    ASSERT_TRUE(first);
    EXPECT_EQ(open().error().code(), ErrorCode::conflict);
  }
  EXPECT_TRUE(open());
  EXPECT_EQ(Witness::open(folder_, "two words", golden_signer(), clock_).error().code(),
            ErrorCode::invalid_argument);
  fs::remove_all(folder_ + "/state");
  EXPECT_EQ(open().error().code(), ErrorCode::corrupt);
}

TEST_F(WitnessTest, DoesNotTakeLostStateForABeginning) {
  auto witness = open();
  ASSERT_TRUE(witness);
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200);
  fs::remove_all(folder_ + "/state");
  fs::create_directory(folder_ + "/state");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 503);
  EXPECT_EQ(open().error().code(), ErrorCode::corrupt);
  write("state/lock", "");
  EXPECT_EQ(witness->add_checkpoint(body(0, 4)).status, 200) << "as whoever put it back has said";
}

}  // namespace
}  // namespace strongroom::witness

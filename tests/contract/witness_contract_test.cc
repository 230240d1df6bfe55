// A log and its witness, from one year into the next and over a break: what auditd signs and hands
// in is what the witness takes, named to it once, and what it answers is what auditd believes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/submission.h"
#include "audit/testing/golden.h"
#include "auditd/testing/auditd_fixture.h"
#include "witness/witness.h"

namespace strongroom::auditd {
namespace {

constexpr std::string_view kName = "witness.example/w1";

class SetClock final : public Clock {
 public:
  void set(std::string_view time) { now_us_ = *parse_rfc3339(time); }
  [[nodiscard]] std::int64_t now_us() const override { return now_us_; }

 private:
  std::int64_t now_us_ = *parse_rfc3339("2026-12-31T23:59:00.000Z");
};

class WitnessContractTest : public AuditdTest {
 protected:
  WitnessContractTest() : witness_folder_(folder_ + "/witness") {
    witnesses_ = {{std::string(kName), audit::testing::witness_signer().public_key(),
                   audit::NoteKeyType::cosignature}};
    fs::create_directories(witness_folder_ + "/etc");
    fs::create_directories(witness_folder_ + "/state");
    std::ofstream(witness::state_lock_path(witness_folder_)).flush();
    const audit::NoteKey key{"test.example/auditd/operator/2026", test_signer().public_key()};
    std::ofstream(witness::known_logs_path(witness_folder_)) << "log " << key.text() << "\n";
    auto opened = witness::Witness::open(witness_folder_, std::string(kName),
                                         audit::testing::witness_signer(), set_clock_);
    SR_CHECK(opened.has_value());
    witness_.emplace(*std::move(opened));
    auto store = Store::open(files_, set_clock_, random_, store_options(), test_signer());
    SR_CHECK(store.has_value());
    store_.emplace(*std::move(store));
  }

  // auditd's part of a minute at `time`: an entry, and a checkpoint of it.
  void grow(std::string_view time) {
    set_clock_.set(time);
    store_->ledger->record_own(audit::EventType::log_start);
    publish();
  }
  void publish() {
    auto grown = store_->ledger->take_grown(0);
    EXPECT_TRUE(store_->checkpoints.publish(grown));
  }
  // audit-relay's part: the answer's status, after a first try from `old_size`.
  int hand_in(std::uint64_t old_size) {
    const std::string log = audit::newest_operators_log(files_, directory()).value();
    auto reader = audit::LogReader::open(files_, directory(), log).value();
    const auto submission = audit::make_submission(reader, old_size).value();
    const witness::Answer answer = witness_->add_checkpoint(submission.body);
    if (answer.status != 200) return answer.status;
    const std::string note = audit::with_cosignatures(submission.note, answer.body).value();
    testimony_ = store_->witnessed.take_note(note, store_->checkpoints.last_signed());
    return answer.status;
  }
  std::string directory() const { return folder_ + "/audit"; }

  std::string witness_folder_;
  SetClock set_clock_;
  std::optional<witness::Witness> witness_;
  std::optional<Store> store_;
  std::optional<Result<Testimony>> testimony_;
};

TEST_F(WitnessContractTest, AYearBeginsWithoutAWordToTheWitness) {
  grow("2026-12-31T23:59:30.000Z");
  ASSERT_EQ(hand_in(0), 200);
  EXPECT_EQ(testimony_->value(), Testimony::witnessed);
  grow("2027-01-01T00:00:01.000Z");
  ASSERT_EQ(audit::newest_operators_log(files_, directory()).value(), "operator-2027");
  ASSERT_EQ(hand_in(0), 200);
  EXPECT_EQ(testimony_->value(), Testimony::witnessed);
  EXPECT_EQ(store_->witnessed.newest()->origin, "test.example/auditd/operator/2027");
  EXPECT_EQ(hand_in(0), 409) << "and is remembered";
  grow("2027-01-01T00:00:02.000Z");
  EXPECT_EQ(hand_in(2), 200);
}

TEST_F(WitnessContractTest, ABreakBeginsLogsThatTheWitnessTakes) {
  grow("2026-11-22T15:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  set_clock_.set("2026-11-22T16:00:00.000Z");
  const auto broken_at = store_->ledger->open_new_shards("restored from a copy", "uid:0");
  ASSERT_TRUE(broken_at);
  publish();
  ASSERT_TRUE(store_->witnessed.settle(*broken_at));
  EXPECT_FALSE(store_->witnessed.newest());
  ASSERT_EQ(hand_in(0), 200);
  EXPECT_EQ(testimony_->value(), Testimony::witnessed);
  EXPECT_EQ(store_->witnessed.newest()->origin,
            "test.example/auditd/operator/2026b20261122T160000Z");
}

}  // namespace
}  // namespace strongroom::auditd

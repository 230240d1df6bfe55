// All that auditd keeps (journal, trees, checkpoints, cosignatures, snapshot, the proof of a
// rollback) under every fault: for every n, the n-th call that changes a file fails, alone or with
// those after it, or is the last one before the power goes. Nothing acknowledged is lost, a start
// always succeeds, and no checkpoint, signed before or after, contradicts another.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

#include "audit/entry.h"
#include "audit/log_reader.h"
#include "audit/proof.h"
#include "audit/segment.h"
#include "audit/submission.h"
#include "audit/testing/golden.h"
#include "audit/verify.h"
#include "auditd/checkpoints.h"
#include "auditd/closed_files.h"
#include "auditd/ledger.h"
#include "auditd/witnessed.h"
#include "base/encoding.h"
#include "base/try.h"
#include "fault_files.h"

namespace strongroom::auditd {
namespace {

using audit::FaultFiles;

constexpr std::string_view kFolder = "audit";
constexpr std::string_view kPlace = "test.example/auditd";
constexpr std::size_t kGroups = 10;
constexpr int kAttempts = 40;
constexpr std::size_t kForEver = 1'000'000;

// The year's end comes in the middle: the second half of a run begins new shards.
class TestClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now_us_; }
  void go_on() { now_us_ += 1'000; }
  void go_to_next_year() { now_us_ = 1'798'761'600'000'000; }

 private:
  std::int64_t now_us_ = 1'798'761'590'000'000;  // 2026-12-31T23:59:50Z
};

class SeededRandom final : public crypto::Random {
 public:
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(generator_());
  }

 private:
  std::mt19937 generator_{1};
};

crypto::Ed25519Signer signer() {
  std::array<std::byte, 32> seed{};
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}

audit::NoteKey witness_key() {
  return {"w.example/1", audit::testing::witness_signer().public_key(),
          audit::NoteKeyType::cosignature};
}

Result<Witnessed> open_witnessed(audit::Files& files, const Clock& clock,
                                 std::map<std::string, std::uint64_t> sizes_at_start = {}) {
  return Witnessed::open(files, clock,
                         {.directory = std::string(kFolder),
                          .place = std::string(kPlace),
                          .public_key = signer().public_key(),
                          .witnesses = {witness_key()},
                          .sizes_at_start = std::move(sizes_at_start),
                          .broken_at = {}});
}

// One machine, its disk and what was acknowledged or signed on it.
class Machine {
 public:
  explicit Machine(std::optional<FaultFiles::Plan> plan) : files_(plan) {}

  // As Store::open.
  Result<void> start() {
    SR_TRY(auto checkpoints,
           Checkpoints::open(files_, std::string(kFolder), std::string(kPlace), signer()));
    checkpoints_.emplace(std::move(checkpoints));
    SR_TRY(
        ledger_,
        Ledger::open(
            files_, clock_, random_,
            {.directory = std::string(kFolder),
             .instance = "auditd",
             .place = std::string(kPlace),
             .public_key = signer().public_key(),
             .journal = {.directory = {}, .segment_bytes_max = 8'192, .zero_ahead_bytes = 1'500}},
            checkpoints_->last_signed()));
    SR_TRY(Witnessed witnessed, open_witnessed(files_, clock_, ledger_->log_sizes()));
    witnessed_.emplace(std::move(witnessed));
    SR_TRY(const Checkpoints::Mended mended, checkpoints_->mend());
    for (const audit::Recovery& recovery : mended.recoveries) ledger_->record_recovery(recovery);
    unsigned_ = ledger_->unsigned_logs(mended.published);
    immutable_ = make_closed_files_immutable(files_, std::string(kFolder));
    ledger_->record_own({.event_type = audit::EventType::log_start});
    return {};
  }

  // Acts as writer and signer do, until the disk stays broken.
  void work(std::size_t groups) {
    for (std::size_t group = 0; group < groups && recovers(); ++group) {
      clock_.go_on();
      if (group == groups / 2) clock_.go_to_next_year();
      append(group);
      const bool record = group % 3 == 2;
      if (record) ledger_->record_checkpoints();
      publish(group % 2 == 1);
      be_witnessed();
    }
  }

  void lose_power(std::uint32_t seed) {
    witnessed_.reset();
    ledger_.reset();
    checkpoints_.reset();
    files_.lose_power(seed);
  }

  // REQUIRES: start(). All segments but the last one.
  void expect_closed_ones_withstand() {
    ASSERT_TRUE(immutable_);
    const auto closed = audit::closed_segments(files_, std::string(kFolder));
    ASSERT_TRUE(closed);
    for (const audit::ClosedSegment& segment : *closed) {
      const std::string name = audit::segment_name(segment.first_sequence);
      ASSERT_FALSE(files_.remove(std::string(kFolder) + "/" + name)) << name;
    }
  }

  void expect_all_kept() {
    const audit::NoteKey key{std::string(kPlace) + "/operator/2026", signer().public_key()};
    const auto report =
        audit::verify_audit(files_, std::string(kFolder), key.text(), clock_.now_us());
    ASSERT_TRUE(report) << report.error().what();
    ASSERT_TRUE(report->ok()) << report->bad->what << " in " << report->bad->file << " at "
                              << report->bad->offset_bytes;
    expect_entries_kept();
    expect_heads_agree();
    expect_cosignatures_kept();
  }

  [[nodiscard]] std::size_t calls() const { return files_.calls(); }
  [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }

 private:
  bool recovers() {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (ledger_->accepting() || ledger_->recover()) return true;
      publish(false);  // a journal that waits for the trees
    }
    return false;
  }

  void append(std::size_t group) {
    constexpr std::array kMerchants = {"", "mer_1", "mer_2"};
    std::vector<std::string> entries;
    std::vector<EntryId> uids;
    for (std::size_t i = 0; i <= group % 4; ++i) {
      const audit::Entry entry{.uid = crypto::new_entry_id(random_, clock_),
                               .operation_id = crypto::new_operation_id(random_, clock_),
                               .event_type = audit::EventType::token_create,
                               .phase = audit::Phase::single,
                               .outcome = audit::Outcome::success,
                               .time_us = clock_.now_us(),
                               .merchant_id = kMerchants[(group + i) % kMerchants.size()]};
      uids.push_back(entry.uid);
      entries.push_back(audit::to_json(entry, "vaultd"));
    }
    std::vector<Submission> submissions;
    for (const std::string& entry : entries) submissions.push_back({"vaultd", entry});
    ledger_->append(submissions);
    for (std::size_t i = 0; i < submissions.size(); ++i) {
      if (submissions[i].status == audit::EntryStatus::durable) acknowledged_.push_back(uids[i]);
    }
  }

  // What is left of one attempt is tried again before more is taken, so nothing need be joined.
  void publish(bool snapshot) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (unsigned_.empty()) unsigned_ = ledger_->take_grown(0);
      for (const GrownLog& log : unsigned_) heads_.emplace_back(log.name, log.head);
      if (checkpoints_->publish(unsigned_) && !ledger_->has_grown()) break;
    }
    if (!snapshot || !unsigned_.empty() || ledger_->has_grown()) return;
    if (const auto taken = ledger_->take_snapshot(1)) (void)checkpoints_->keep(*taken);
  }

  void expect_entries_kept() {
    auto reader = audit::JournalReader::open(files_, std::string(kFolder));
    ASSERT_TRUE(reader);
    std::map<EntryId, int> found;
    while (true) {
      const auto frame = reader->next();
      ASSERT_TRUE(frame) << frame.error().what();
      if (!*frame) break;
      const auto entry = audit::parse_entry(as_text((*frame)->entry));
      ASSERT_TRUE(entry);
      ++found[entry->uid];
    }
    for (const EntryId& uid : acknowledged_) ASSERT_EQ(found[uid], 1);
    for (const auto& [uid, times] : found) ASSERT_EQ(times, 1);
  }

  void expect_heads_agree() {
    for (const auto& [name, head] : heads_) {
      auto log = audit::LogReader::open(files_, std::string(kFolder), name);
      ASSERT_TRUE(log) << name;
      const auto root = audit::tree_hash(*log, head.size);
      ASSERT_TRUE(root) << name << " at " << head.size << ": " << root.error().what();
      ASSERT_EQ(*root, head.root) << name << " at " << head.size;
    }
  }

  // The witness cosigns the operator's newest checkpoint, and auditd is told.
  void be_witnessed() {
    const auto log = audit::newest_operators_log(files_, std::string(kFolder));
    if (!log) return;
    auto reader = audit::LogReader::open(files_, std::string(kFolder), *log);
    const auto note = reader ? reader->newest_note() : std::unexpected(reader.error());
    const auto parsed = note ? audit::parse_note(*note) : std::unexpected(note.error());
    if (!parsed) return;
    const std::string line = audit::cosign(parsed->text, clock_.now_us() / 1'000'000,
                                           witness_key().name, audit::testing::witness_signer());
    if (!witnessed_->take_note(*note + line, checkpoints_->last_signed())) return;
    cosigned_sizes_[*log] = audit::parse_checkpoint_text(parsed->text)->size;
  }

  void expect_cosignatures_kept() {
    ASSERT_FALSE(cosigned_sizes_.empty());
    const auto witness = audit::CosignatureVerifier::create(witness_key()).value();
    for (const auto& [name, size] : cosigned_sizes_) {
      auto log = audit::LogReader::open(files_, std::string(kFolder), name);
      ASSERT_TRUE(log) << name;
      const auto note = log->cosigned_note();
      ASSERT_TRUE(note) << name;
      const auto parsed = audit::parse_note(*note);
      ASSERT_TRUE(parsed) << *note;
      ASSERT_GE(audit::parse_checkpoint_text(parsed->text)->size, size);
      ASSERT_TRUE(witness.newest_s(*parsed).value());
    }
    ASSERT_FALSE(witnessed_->rolled_back());
  }

  FaultFiles files_;
  TestClock clock_;
  SeededRandom random_;
  std::optional<Checkpoints> checkpoints_;
  std::unique_ptr<Ledger> ledger_;
  std::optional<Witnessed> witnessed_;
  std::map<std::string, std::uint64_t> cosigned_sizes_;  // acknowledged to the witness
  bool immutable_ = false;
  std::vector<GrownLog> unsigned_;
  std::vector<EntryId> acknowledged_;
  std::vector<std::pair<std::string, audit::TreeHead>> heads_;  // that may have been signed
};

void run(FaultFiles::Plan plan, std::uint32_t seed) {
  SCOPED_TRACE(fmt::format("call {} and {} more, seed {}", plan.number, plan.more, seed));
  Machine machine(plan);
  if (machine.start()) machine.work(kGroups);
  machine.lose_power(seed);
  const auto started = machine.start();
  ASSERT_TRUE(started) << started.error().what();
  machine.expect_closed_ones_withstand();
  const std::size_t before = machine.acknowledged();
  machine.work(kGroups);
  ASSERT_GE(machine.acknowledged(), before + kGroups);
  machine.expect_all_kept();
  machine.expect_closed_ones_withstand();
}

std::size_t calls_without_fault() {
  Machine machine(std::nullopt);
  EXPECT_TRUE(machine.start());
  machine.work(kGroups);
  machine.expect_all_kept();
  return machine.calls();
}

TEST(StoreFaultTest, KeepsAllWhenOneCallFails) {
  const std::size_t calls = calls_without_fault();
  for (std::size_t number = 0; number < calls; ++number) run({number}, 1);
}

TEST(StoreFaultTest, KeepsAllWhenADiskStaysFullForAWhile) {
  const std::size_t calls = calls_without_fault();
  for (std::size_t number = 0; number < calls; ++number) run({number, 5}, 7);
}

TEST(StoreFaultTest, KeepsAllWhenThePowerGoesAtAnyCall) {
  const std::size_t calls = calls_without_fault();
  for (std::size_t number = 0; number < calls; ++number) {
    for (std::uint32_t seed = 0; seed < 3; ++seed) run({number, kForEver}, seed);
  }
}

// What was acknowledged of: a proof of a rollback, and a break that settled it.
TEST(StoreFaultTest, KeepsTheProofOfARollbackUntilItIsSettled) {
  const std::string origin = std::string(kPlace) + "/operator/2026";
  const TestClock clock;
  std::size_t calls = 1;
  for (std::size_t number = 0; number < calls; ++number) {
    for (std::uint32_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", number, seed));
      FaultFiles files(FaultFiles::Plan{number, kForEver});
      auto witnessed = open_witnessed(files, clock);
      ASSERT_TRUE(witnessed);
      const bool proven = witnessed->take_size(origin, 9, {}).has_value();
      ASSERT_TRUE(witnessed->rolled_back()) << "also where the disk takes no proof";
      const bool settled = proven && witnessed->settle("20270101T000000Z");
      ASSERT_EQ(witnessed->rolled_back().has_value(), !settled);
      calls = std::max(calls, files.calls() + (settled ? 0 : 1));
      files.lose_power(seed);
      witnessed = open_witnessed(files, clock);
      ASSERT_TRUE(witnessed);
      if (settled) {
        ASSERT_FALSE(witnessed->rolled_back());
      } else if (proven && number > 1) {
        continue;  // the power went between its removal and the sync: it may be there or not
      } else if (proven) {
        ASSERT_TRUE(witnessed->rolled_back());
      }
      ASSERT_EQ(witnessed->take_size(origin, 9, {}).value(), Testimony::rolled_back);
      ASSERT_TRUE(witnessed->settle("20270101T000000Z"));
      ASSERT_FALSE(open_witnessed(files, clock)->rolled_back());
    }
  }
  EXPECT_GT(calls, 2U);
}

}  // namespace
}  // namespace strongroom::auditd

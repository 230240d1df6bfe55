// RetentionTest: an auditd with archives, and a clock that goes on by months.
#pragma once

#include "audit/archive.h"
#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/note.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {

class SetClock final : public Clock {
 public:
  void set(std::string_view time) { now_us_ = *parse_rfc3339(time); }
  void add_days(std::int64_t days) { add_ms(days * kDayMs); }
  void add_ms(std::int64_t ms) { now_us_ += ms * 1000; }
  [[nodiscard]] std::int64_t now_us() const override { return now_us_; }
  [[nodiscard]] std::int64_t now_ms() const { return now_us_ / 1000; }

 private:
  std::atomic<std::int64_t> now_us_{*parse_rfc3339("2026-01-05T10:00:00.000Z")};
};

inline crypto::Aead archive_key() {
  const std::vector<std::byte> bytes(crypto::Aead::kKeySize, std::byte{7});
  return *crypto::Aead::create(*SecretBytes::copy_of(bytes), 1);
}

class RetentionTest : public AuditdTest {
 protected:
  Store open(audit::Files& files) {
    StoreOptions options = store_options();
    options.journal.zero_ahead_bytes = 0;  // fewer writes
    auto store = Store::open(files, set_clock_, random_, options, test_signer());
    SR_CHECK(store.has_value());
    return *std::move(store);
  }
  std::unique_ptr<Auditd> serve(Store store) {
    AuditdOptions options{.socket_path = socket_, .users = {}, .checkpoint_interval = 1h};
    options.archive_key = archive_key();
    options.retention = retention_;
    auto auditd = Auditd::start(loop_, std::move(store), metrics_, std::move(options));
    SR_CHECK(auditd.has_value());
    return *std::move(auditd);
  }
  // An entry a day for so many months, the clock's and the following ones.
  Store fill(int months, int entries) {
    Store store = open(files_);
    for (int month = 0; month < months; ++month) {
      for (int i = 0; i < entries; ++i) {
        audit::Entry made = entry();
        made.time_us = set_clock_.now_us();
        const std::string json = audit::to_json(made, "vaultd");
        Submission submission{"vaultd", json};
        store.ledger->append(std::span(&submission, 1));
        SR_CHECK(submission.status == audit::EntryStatus::durable);
        set_clock_.add_days(1);
      }
      set_clock_.add_days(30 - entries);
    }
    return store;
  }
  std::vector<std::string> segments() { return *audit::list_segments(files_, directory_); }
  audit::LogReader log() { return *audit::LogReader::open(files_, directory_, "mer_1-2026"); }
  bool proves(std::uint64_t index) {
    auto reader = log();
    const auto entry = reader.entry(index);
    const auto note = audit::parse_note(*reader.newest_note());
    const audit::NoteKey key{"test.example/auditd/mer_1/2026", test_signer().public_key()};
    const auto head =
        audit::open_checkpoint(*reader.newest_note(), *audit::NoteVerifier::create(key));
    if (!entry || !note || !head) return false;
    const auto proof = audit::inclusion_proof(reader, index, head->size);
    return proof && audit::verify_inclusion(audit::leaf_hash(*entry), index, *proof, head->head());
  }
  template <class T>
  T run(Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  audit::VerifyReport verify() {
    const audit::NoteKey key{"test.example/auditd/operator/2026", test_signer().public_key()};
    return *audit::verify_audit(files_, directory_, key.text(), set_clock_.now_us());
  }
  std::vector<Archivist::Listed> list(Auditd& auditd) { return *run(auditd.archivist()->list()); }
  // What the log.archive entries at hand say: act and user.
  std::vector<std::string> acts() {
    std::vector<std::string> lines;
    auto reader = *audit::JournalReader::open(files_, directory_);
    const std::uint64_t first = *audit::sequence_of_segment(segments().front());
    SR_CHECK(reader.start_at_segment(first).has_value());
    for (auto frame = *reader.next(); frame; frame = *reader.next()) {
      const audit::Entry made = *audit::parse_entry(as_text(frame->entry));
      if (made.event_type != audit::EventType::log_archive) continue;
      lines.push_back(made.operation + " " + made.user);
    }
    return lines;
  }

  SetClock set_clock_;
  RetentionSettings retention_;
  const std::string directory_ = folder_ + "/audit";
};

}  // namespace strongroom::auditd

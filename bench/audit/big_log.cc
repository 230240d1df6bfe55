// A large log: made, started on, proved from and verified.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/proof.h"
#include "audit/runs.h"
#include "audit/sample.h"
#include "audit/verify.h"
#include "auditd/auditd.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::size_t kGroup = 256;
// auditd signs once a second, and takes some 100,000 entries in one.
constexpr std::uint64_t kSignEvery = 400 * kGroup;

audit::PosixFiles g_files;

double ms_since(steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - start).count();
}

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  statm >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

auditd::Store open_store(const std::string& folder) {
  auto store = auditd::Store::open(g_files, kClock, randomness(),
                                   {.directory = folder,
                                    .instance = std::string(kAuditd),
                                    .trust_domain = std::string(kTrustDomain)},
                                   signer());
  SR_CHECK(store.has_value());
  return *std::move(store);
}

void append_group(auditd::Ledger& ledger) {
  std::vector<std::string> entries(kGroup);
  std::vector<auditd::Submission> submissions;
  submissions.reserve(kGroup);
  for (std::string& entry : entries) {
    entry = audit::to_json(new_entry());
    submissions.push_back({kWriter, entry});
  }
  ledger.append(submissions);
  for (const auditd::Submission& submission : submissions) {
    SR_CHECK(submission.status == audit::EntryStatus::durable);
  }
}

void sign(auditd::Store& store) {
  std::vector<auditd::GrownLog> grown = store.ledger->take_grown(0);
  SR_CHECK(store.checkpoints.publish(grown).has_value());
}

// Nothing of the folder's files is in memory any more.
void forget_pages(const std::string& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    SR_CHECK(file >= 0 && ::fdatasync(file) == 0);
    SR_CHECK(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    ::close(file);
  }
}

audit::NoteKey key_of(std::string_view owner) {
  const std::string log = log_of_today(owner);
  const std::string place = std::string(kTrustDomain) + "/" + std::string(kAuditd);
  return {audit::log_origin(place, log), signer().public_key()};
}

}  // namespace

Figures make_log(const std::string& folder, std::uint64_t entries) {
  auditd::Store store = open_store(folder);
  const std::uint64_t entry_bytes = audit::kFrameHeaderBytes + audit::to_json(new_entry()).size();
  const std::uint64_t tail = auditd::kSnapshotEveryBytes / entry_bytes;
  bool snapshot_taken = false;
  double early_mib = 0;
  const auto start = steady_clock::now();
  std::uint64_t written = 0;
  for (; written < entries; written += kGroup) {
    if (written % kSignEvery == 0) sign(store);
    if (early_mib == 0 && written >= entries / 10) early_mib = resident_mib();
    if (!snapshot_taken && written + tail >= entries) {
      snapshot_taken = true;
      sign(store);
      SR_CHECK(store.checkpoints.keep(*store.ledger->take_snapshot(0)).has_value());
    }
    append_group(*store.ledger);
  }
  sign(store);
  return {{"entries", static_cast<double>(written)},
          {"entries_per_second", static_cast<double>(written) / (ms_since(start) / 1e3)},
          {"entry_bytes", static_cast<double>(entry_bytes)},
          {"resident_mib_at_a_tenth", early_mib},
          {"resident_mib", resident_mib()}};
}

Figures run_start(const std::string& folder) {
  Figures figures;
  for (const std::string_view name : {"after_crash_ms", "after_stop_ms"}) {
    forget_pages(folder);
    const auto start = steady_clock::now();
    auditd::Store store = open_store(folder);
    figures.emplace_back(name, ms_since(start));
    sign(store);
    SR_CHECK(store.checkpoints.keep(*store.ledger->take_snapshot(0)).has_value());
  }
  figures.emplace_back("resident_mib", resident_mib());
  return figures;
}

Figures run_prove(const std::string& folder, std::uint64_t count) {
  const auto verifier = audit::NoteVerifier::create(key_of(kMerchant));
  SR_CHECK(verifier.has_value());
  LatencyHistogram latency;
  std::mt19937_64 random(1);
  std::uint64_t size = 0;
  forget_pages(folder);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto before = steady_clock::now();
    auto reader = audit::LogReader::open(g_files, folder, log_of_today(kMerchant));
    SR_CHECK(reader.has_value());
    const auto note = reader->newest_note();
    SR_CHECK(note.has_value());
    const auto checkpoint = audit::open_checkpoint(*note, *verifier);
    SR_CHECK(checkpoint.has_value());
    size = checkpoint->size;
    const std::uint64_t index = random() % size;
    const auto proof = audit::inclusion_proof(*reader, index, size);
    SR_CHECK(proof.has_value());
    latency.record(steady_clock::now() - before);
    const auto entry = reader->entry(index);
    SR_CHECK(entry.has_value());
    SR_CHECK(audit::verify_inclusion(audit::leaf_hash(*entry), index, *proof, checkpoint->head()));
  }
  Figures figures{{"tree_size", static_cast<double>(size)}};
  add_latency(figures, latency);
  return figures;
}

Figures run_verify(const std::string& folder) {
  const auto start = steady_clock::now();
  const auto report =
      audit::verify_audit(g_files, folder, key_of(audit::kOperator).text(), kClock.now_us());
  SR_CHECK(report && report->ok());
  const double entries = static_cast<double>(report->entries);
  return {{"entries", entries},
          {"entries_per_second", entries / (ms_since(start) / 1e3)},
          {"resident_mib", resident_mib()}};
}

}  // namespace strongroom::bench

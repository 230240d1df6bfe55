// A folder as auditd leaves it, written without auditd, and what verify_audit says of it. For
// tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "audit/checkpoint_files.h"
#include "audit/cosignature.h"
#include "audit/journal.h"
#include "audit/logs.h"
#include "audit/testing/golden.h"
#include "audit/tree_files.h"
#include "audit/verify.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/random.h"

namespace strongroom::audit::testing {

namespace fs = std::filesystem;

inline constexpr std::string_view kPlace = "test.example/auditd";
inline constexpr std::int64_t kEntryTimeUs = 1'795'298'400'000'000;

class VerifyFixture : public ::testing::Test {
 protected:
  VerifyFixture() {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    start_anew();
  }
  ~VerifyFixture() override { fs::remove_all(folder_); }

  Entry entry(std::string merchant = {}) {
    return {.uid = crypto::new_entry_id(random_, clock_),
            .operation_id = crypto::new_operation_id(random_, clock_),
            .event_type = EventType::token_create,
            .outcome = Outcome::success,
            .time_us = kEntryTimeUs,
            .instance = "vaultd",
            .user = "someone",
            .merchant_id = std::move(merchant)};
  }

  // Appends one group and, when asked, signs every log it is in.
  void append(const std::vector<Entry>& entries, bool sign) {
    auto reader = JournalReader::open(files_, folder_);
    while (reader->next()->has_value()) {
    }
    auto journal = Journal::resume(
        files_,
        {.directory = folder_, .segment_bytes_max = segment_bytes_max_, .zero_ahead_bytes = 64},
        *reader);
    SR_CHECK(journal.has_value());
    for (const Entry& entry : entries) (*journal)->stage(to_json(entry));
    SR_CHECK((*journal)->commit().has_value());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::string json = to_json(entries[i]);
      const auto view = read_entry(json);
      logs_.append(logs_.of(*view), *view, leaf_hash_of_input((*journal)->leaf_input(i)),
                   (*journal)->frame_place(i));
    }
    for (auto& [name, log] : logs_.all()) {
      SR_CHECK(TreeFiles(files_, folder_).write(name, log.growth).has_value());
      log.growth = {};
    }
    if (sign) sign_all();
  }

  void start_anew() {
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/checkpoints");
    write(path("last-signed"), "");
    logs_ = {};
  }

  void sign_all() {
    std::vector<Checkpoint> record;
    for (const auto& [name, log] : logs_.all()) {
      record.push_back({log_origin(kPlace, name), log.tree.size(), log.tree.root()});
      std::ofstream(checkpoint_path(folder_, name), std::ios::app)
          << sign_checkpoint(record.back(), signer_);
    }
    std::ranges::sort(record, {}, &Checkpoint::origin);
    std::ofstream(folder_ + "/last-signed") << last_signed_text(record);
  }

  // Three groups: operator, two merchants, all signed twice.
  void fill() {
    append({entry(), entry("mer_1")}, true);
    append({entry("mer_1"), entry("mer_2"), entry()}, true);
  }

  VerifyReport verify() {
    const NoteKey key{log_origin(kPlace, "operator-2020"), signer_.public_key()};
    const NoteKey witness{std::string(testing::kWitness), witness_.public_key(),
                          NoteKeyType::cosignature};
    auto report = verify_audit(files_, folder_, key.text(), now_us_, {}, std::span(&witness, 1));
    SR_CHECK(report.has_value());
    return *std::move(report);
  }

  // As auditd keeps what a witness has cosigned of the operator's log.
  void cosign_operators() {
    const std::string note = newest_note("operator-2026");
    const std::string text = note.substr(0, note.find("\n\n") + 1);
    write(cosigned_path(folder_, "operator-2026"),
          note + cosign(text, testing::kWitnessTimeS, testing::kWitness, witness_));
  }

  std::string newest_note(const std::string& log) {
    auto file = *files_.open(checkpoint_path(folder_, log), OpenMode::read);
    return last_note(*file)->text;
  }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  static std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }

  static void flip(const std::string& file, std::uint64_t offset) {
    std::string bytes = read(file);
    bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
    write(file, bytes);
  }

  // Rewrites the journal with its entries changed by `change`, CRCs and sequences right.
  void rewrite(const std::function<void(std::vector<std::string>&)>& change) {
    std::vector<std::string> entries;
    auto reader = JournalReader::open(files_, folder_);
    while (true) {
      const auto frame = reader->next();
      if (!*frame) break;
      entries.emplace_back(as_text((*frame)->entry));
    }
    change(entries);
    const auto header = segment_header(1);
    std::vector<std::byte> bytes(header.begin(), header.end());
    std::uint64_t sequence = 0;
    for (const std::string& json : entries) append_frame(bytes, ++sequence, true, as_bytes(json));
    write(path(segment_name(1)), std::string(as_text(bytes)));
  }

  PosixFiles files_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  crypto::Ed25519Signer signer_ = *crypto::Ed25519Signer::generate(random_);
  crypto::Ed25519Signer witness_ = testing::witness_signer();
  Logs logs_;
  std::uint64_t segment_bytes_max_ = std::uint64_t{64} << 20;
  std::string folder_ = ::testing::TempDir() + "sr_verify_XXXXXX";
  std::int64_t now_us_ = kEntryTimeUs + 1'000'000;
};

}  // namespace strongroom::audit::testing

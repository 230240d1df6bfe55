// AuditFolder: a DIR/audit in a folder of its own, with what auditd writes there: journal, trees,
// checkpoints and the record of them. For tests.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_view.h"
#include "audit/journal.h"
#include "audit/logs.h"
#include "audit/segment.h"
#include "audit/testing/golden.h"
#include "audit/tree_files.h"
#include "base/try.h"
#include "crypto/random.h"
#include "support/temporary_directory.h"

namespace strongroom::connected::relay::testing {

inline constexpr std::int64_t kTimeUs = 1'795'300'000'000'000;  // in 2026

class AuditFolder {
 public:
  AuditFolder() {
    std::filesystem::create_directories(directory() + "/checkpoints");
    auto reader = audit::JournalReader::open(files_, directory());
    SR_CHECK(reader && !reader->next()->has_value());
    journal_ = *audit::Journal::resume(files_, {.directory = directory()}, *reader);
    sign();
  }
  [[nodiscard]] std::string directory() const { return (folder_.path() / "audit").string(); }
  [[nodiscard]] audit::Files& files() noexcept { return files_; }

  // An entry of the merchant, or the operator's log when it is empty; `minute` is its time.
  audit::Entry entry(std::string merchant, audit::EventType type = audit::EventType::token_create,
                     std::int64_t minute = 0) {
    return {.uid = crypto::new_entry_id(random_, clock_),
            .event_type = type,
            .outcome = audit::Outcome::success,
            .time_us = kTimeUs + minute * 60'000'000,
            .instance = "vaultd",
            .user = "key_1",
            .merchant_id = std::move(merchant)};
  }
  // Writes entries as one group; their bytes as they stand in the journal.
  std::vector<std::string> append(const std::vector<audit::Entry>& entries,
                                  bool in_new_segment = false) {
    std::vector<std::string> texts;
    texts.reserve(entries.size());
    for (const audit::Entry& entry : entries) texts.push_back(audit::to_json(entry));
    for (const std::string& text : texts) journal_->stage(text);
    SR_CHECK(journal_->commit(in_new_segment).has_value());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto view = audit::read_entry(texts[i]);
      SR_CHECK(view.has_value());
      logs_.append(logs_.of(*view), *view, audit::leaf_hash_of_input(journal_->leaf_input(i)),
                   journal_->frame_place(i));
    }
    for (auto& [name, log] : logs_.all()) {
      if (!log.growth.empty()) SR_CHECK(trees_.write(name, log.growth).has_value());
      log.growth = {};
    }
    return texts;
  }
  // Signs for every log as it is.
  void sign() {
    std::vector<audit::Checkpoint> all;
    for (const auto& [name, log] : logs_.all()) {
      all.push_back({.origin = audit::log_origin("test.example/auditd", name),
                     .size = log.tree.size(),
                     .root = log.tree.root()});
      std::ofstream(audit::checkpoint_path(directory(), name), std::ios::app)
          << audit::sign_checkpoint(all.back(), audit::testing::golden_signer());
    }
    std::ranges::sort(all, {}, &audit::Checkpoint::origin);
    std::ofstream(directory() + "/last-signed") << audit::last_signed_text(all);
  }
  // The entry of the operator's log that tells how the log stands.
  audit::Entry record_of(std::string_view log, std::int64_t minute = 1) {
    const audit::MerkleTree& tree = logs_.find(log)->tree;
    audit::Entry record = entry("", audit::EventType::log_checkpoint, minute);
    record.resources = {audit::log_origin("test.example/auditd", log)};
    record.tree_size = tree.size();
    record.tree_root = tree.root();
    return record;
  }
  // Keeps the newest checkpoint of the operator's log as one that a witness has cosigned: with its
  // line, of golden.h, which is not of this checkpoint.
  void cosign() {
    const std::string log = "operator-2026";
    const auto file = files_.open(audit::checkpoint_path(directory(), log), audit::OpenMode::read);
    std::ofstream(audit::cosigned_path(directory(), log))
        << audit::last_note(**file)->text << audit::testing::kWitnessLine;
  }
  // The first segment leaves the journal, as when it is archived; and comes back as a copy.
  // REQUIRES: another one has begun.
  void archive() {
    std::filesystem::create_directories(directory() + "/" + std::string(audit::kRestoredFolder));
    std::filesystem::rename(directory() + "/" + audit::segment_name(1), away());
  }
  void restore() {
    std::filesystem::rename(away(), directory() + "/" + std::string(audit::kRestoredFolder) + "/" +
                                        audit::segment_name(1));
  }
  // Changes a byte of an entry in the journal.
  void damage(std::string_view text) {
    const std::string path = directory() + "/" + audit::segment_name(1);
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const std::size_t at = bytes.find(text);
    SR_CHECK(at != std::string::npos);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

 private:
  [[nodiscard]] std::string away() const { return (folder_.path() / "away").string(); }

  test::TemporaryDirectory folder_;
  audit::PosixFiles files_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  std::unique_ptr<audit::Journal> journal_;
  audit::Logs logs_;
  audit::TreeFiles trees_{files_, directory()};
};

}  // namespace strongroom::connected::relay::testing

// LogCheck: one log while verify_audit derives it again from the journal. Its checkpoints, what is
// recorded as signed last and the files of its tree are compared as the log reaches them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/logs.h"
#include "audit/tree_files.h"
#include "audit/verify.h"
#include "base/result.h"

namespace strongroom::audit {

struct EntryPlace {
  FramePlace frame;
  std::uint64_t sequence = 0;  // 0: its segment is gone, and only its hash is known
  std::int64_t time_ms = 0;
};

// One thread. After the first bad place nothing more is looked at.
class LogCheck {
 public:
  // `files` outlives it; `key` is named as the log's origin. unavailable.
  [[nodiscard]] static Result<LogCheck> open(Files& files, std::string directory, std::string name,
                                             NoteKey key);

  // What is recorded as signed last.
  void expect(Checkpoint last_signed) { last_signed_ = std::move(last_signed); }
  // The journal must hold what its checkpoints of now are of. auditd may add more while it is read.
  [[nodiscard]] Result<void> expect_checkpoints();
  // How many of the log's entries stand in segments before the one that begins with
  // `first_sequence`, as its places have it.
  [[nodiscard]] Result<std::uint64_t> entries_before(std::uint64_t first_sequence);
  // Takes the hashes of the first `count` entries from the tree's own file: checkpoints prove them.
  [[nodiscard]] Result<void> append_unread(std::uint64_t count);
  [[nodiscard]] Result<void> append(const Hash& leaf, const EntryPlace& place);
  // Compares what the log has gained since the last time with the files of its tree. They may be
  // shorter than the log, but not than its newest checkpoint.
  [[nodiscard]] Result<void> compare_files();
  // At the journal's end. An entry from before `signed_before_ms` must be signed for.
  [[nodiscard]] Result<void> finish(std::int64_t signed_before_ms);

  [[nodiscard]] const std::optional<BadPlace>& bad() const noexcept { return bad_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const MerkleTree& tree() const noexcept { return tree_; }
  [[nodiscard]] const NoteVerifier& verifier() const noexcept { return verifier_; }
  // Size of the newest checkpoint that fitted, and how many did.
  [[nodiscard]] std::uint64_t good_size() const noexcept { return good_size_; }
  [[nodiscard]] std::uint64_t checkpoints() const noexcept { return checkpoints_; }

 private:
  // A checkpoint that the tree has yet to reach.
  struct Pending {
    Checkpoint checkpoint;
    std::uint64_t offset_bytes = 0;
  };
  // A leaf of the tree's file that is not the journal's. The next checkpoint tells which is wrong.
  struct Dispute {
    BadPlace file;
    BadPlace entry;
  };

  LogCheck(Files& files, std::string directory, std::string name, NoteVerifier verifier);
  std::string checkpoint_file() const;
  Result<void> read_checkpoint();
  Result<void> check_root();
  Result<void> differs();
  BadPlace place_of(std::uint64_t index, const EntryPlace& entry) const;
  void judge(const TreeDifference& difference);
  void check_ends();

  Files* files_;
  std::string directory_;
  std::string name_;
  NoteVerifier verifier_;
  MerkleTree tree_;
  std::optional<Pending> next_;
  std::uint64_t next_offset_ = 0;     // where the note behind it begins
  std::uint64_t expected_bytes_ = 0;  // of its file of checkpoints
  std::optional<Checkpoint> last_signed_;
  bool record_differs_ = false;  // last_signed_ does not fit, and no checkpoint tells why yet
  std::uint64_t good_size_ = 0;
  std::uint64_t checkpoints_ = 0;
  std::optional<EntryPlace> suspect_;     // the first entry behind good_size_
  LogGrowth growth_;                      // not yet compared
  std::vector<std::uint64_t> sequences_;  // of its entries
  std::optional<Dispute> dispute_;
  std::optional<BadPlace> bad_;
};

}  // namespace strongroom::audit

// The files of signed checkpoints (docs/formats/audit-checkpoints.md): per log the notes one after
// the other in checkpoints/<log>.log, and `last-signed`, the newest of every log, which is durable
// before a checkpoint is signed and must never be older than one that was.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/files.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kCheckpointFolder = "checkpoints";
inline constexpr std::string_view kLastSignedName = "last-signed";
// Beside it: what proves that somebody has seen more of a log than is there.
inline constexpr std::string_view kRolledBackName = "rolled-back";

// Lines of `origin size base64(root)`, ascending by origin.
[[nodiscard]] std::string last_signed_text(std::span<const Checkpoint> checkpoints);
[[nodiscard]] Result<std::vector<Checkpoint>> parse_last_signed(std::string_view text);
// The record in `directory`; empty when there is none, and neither a checkpoint nor a journal: only
// a log that has yet to begin has no record. corrupt: it is damaged or gone; unavailable.
[[nodiscard]] Result<std::vector<Checkpoint>> read_last_signed(Files& files,
                                                               const std::string& directory);

// Names of the logs that have a checkpoint file in `directory`.
[[nodiscard]] Result<std::vector<std::string>> list_checkpoint_logs(Files& files,
                                                                    const std::string& directory);
[[nodiscard]] std::string checkpoint_path(const std::string& directory, std::string_view log_name);

// The newest checkpoint that a witness has cosigned; the operator's logs may have one.
[[nodiscard]] std::string cosigned_path(const std::string& directory, std::string_view log_name);

// The last whole note of a file of checkpoints, and where it ends; no text and 0 when it holds
// none. corrupt: it ends in something else than one that a crash cut short; unavailable.
struct LastNote {
  std::string text;
  std::uint64_t end_bytes = 0;
};
[[nodiscard]] Result<LastNote> last_note(File& file);

// The note in `file`, a log's checkpoints, that signs for `checkpoint`; nullopt: none does. Looks
// at a few places of the file only, for its sizes ascend. corrupt: there is something else than
// notes of the log; unavailable.
[[nodiscard]] Result<std::optional<std::string>> find_note(File& file,
                                                           const Checkpoint& checkpoint);

// CheckpointReader streams the notes of one file. It does not check their signatures.
class CheckpointReader {
 public:
  // Begins at `begin_bytes`, where a note does.
  [[nodiscard]] static Result<CheckpointReader> open(Files& files, const std::string& path,
                                                     std::uint64_t begin_bytes = 0);
  // The bytes of the next whole note; valid until the next call. nullopt at the end; what stands
  // behind the last whole note (a write that a crash cut) is left out. unavailable.
  [[nodiscard]] Result<std::optional<std::string_view>> next();
  // Where the note that next() gave begins, and where the one after it does.
  [[nodiscard]] std::uint64_t offset_bytes() const noexcept { return offset_; }
  [[nodiscard]] std::uint64_t end_bytes() const noexcept { return offset_ + size_; }

 private:
  CheckpointReader(std::unique_ptr<File> file, std::uint64_t begin_bytes)
      : file_(std::move(file)), offset_(begin_bytes) {}
  Result<void> fill();

  std::unique_ptr<File> file_;
  std::string window_;    // the file from offset_ on
  std::uint64_t offset_;  // of the last note given
  std::size_t size_ = 0;  // of it
  bool at_file_end_ = false;
};

// Bytes of the note at the start of `bytes`: up to the end of its last signature line. nullopt: no
// whole note; `more_may_come` says that bytes may follow, so that a signature line at the end is
// not yet known to be the last.
[[nodiscard]] std::optional<std::size_t> note_size(std::string_view bytes, bool more_may_come);

}  // namespace strongroom::audit

// Checkpoints: writes what the logs have grown by into the files of their trees, then signs what
// they have grown to, and nothing that contradicts what it signed before. Its record of that
// (`last-signed`) is durable before a signature exists (the compare-and-swap rule of Sunlight's
// lock backend).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/checkpoint_files.h"
#include "audit/files.h"
#include "audit/journal.h"
#include "audit/snapshot.h"
#include "audit/tree_files.h"
#include "auditd/grown_log.h"
#include "base/result.h"
#include "crypto/signer.h"

namespace strongroom::auditd {

// One thread at a time; every call may wait for the disk.
class Checkpoints {
 public:
  // Reads the record in `directory` (DIR/audit), making it and the folder for checkpoints where
  // there is no journal yet. `files` outlives it. corrupt, unavailable.
  [[nodiscard]] static Result<Checkpoints> open(audit::Files& files, std::string directory,
                                                std::string place, crypto::Ed25519Signer signer);

  // Newest checkpoint of each log that has one.
  [[nodiscard]] std::vector<audit::Checkpoint> last_signed() const;
  // What a power loss has left of the files, for their notes are not synced one by one.
  struct Mended {
    std::vector<audit::Recovery> recoveries;   // files that were cut, at the first that is no note
    std::vector<audit::Checkpoint> published;  // of last_signed(): those whose notes are there
  };
  // Once at the start, when the journal is known to be what was signed for. unavailable.
  [[nodiscard]] Result<Mended> mend();
  // Writes the files of each tree, signs its checkpoint, appends it to its log's file and takes the
  // log out of `grown`; what is left may be given again. One log's files do not hold up the others;
  // the first error is given. conflict: one is smaller than what was signed for its log, or another
  // tree of the same size; then nothing is written. unavailable, corrupt.
  [[nodiscard]] Result<void> publish(std::vector<GrownLog>& grown);
  // Makes durable what publish() has written. unavailable.
  [[nodiscard]] Result<void> sync();
  // Keeps `snapshot`, of what publish() has written, for the next start: durable, and the files of
  // the trees and checkpoints before it. unavailable, and from then on always: after a sync that
  // failed no later one tells whether the files are on the disk, but a start writes anew what the
  // last snapshot lacks.
  [[nodiscard]] Result<void> keep(const audit::Snapshot& snapshot);

 private:
  Checkpoints(audit::Files& files, std::string directory, std::string place,
              crypto::Ed25519Signer signer);
  // The checkpoint to sign; conflict.
  Result<audit::Checkpoint> checkpoint_of(const GrownLog& log) const;
  Result<void> write_record(const std::map<std::string, audit::Checkpoint>& record);
  Result<void> append(const std::string& log_name, const audit::Checkpoint& checkpoint);
  // Where the next note belongs: behind the last whole one.
  Result<std::uint64_t> end_of(audit::File& file, const std::string& log_name);
  Result<void> mend_file(const std::string& log_name, Mended& mended);
  Result<void> read_synced();

  audit::Files* files_;
  audit::TreeFiles trees_;
  std::string directory_;
  std::string place_;
  crypto::Ed25519Signer signer_;
  std::map<std::string, audit::Checkpoint> last_;  // by origin
  std::map<std::string, std::uint64_t> ends_;      // of the last note in each file, by log
  std::map<std::string, std::uint64_t> synced_;    // how much of that is on the disk, at the start
  bool sync_has_failed_ = false;
};

}  // namespace strongroom::auditd

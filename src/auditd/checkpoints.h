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
#include "audit/tree_files.h"
#include "auditd/grown_log.h"
#include "auditd/snapshot.h"
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
  // Writes the files of each tree, signs its checkpoint, appends it to its log's file and takes the
  // log out of `grown`; what is left may be given again. One log's files do not hold up the others;
  // the first error is given. conflict: one is smaller than what was signed for its log, or another
  // tree of the same size; then nothing is written. unavailable, corrupt.
  [[nodiscard]] Result<void> publish(std::vector<GrownLog>& grown);
  // Keeps `snapshot`, of what publish() has written, for the next start: durable, and the files of
  // the trees before it. unavailable.
  [[nodiscard]] Result<void> keep(const Snapshot& snapshot);

 private:
  Checkpoints(audit::Files& files, std::string directory, std::string place,
              crypto::Ed25519Signer signer);
  // The checkpoint to sign; conflict.
  Result<audit::Checkpoint> checkpoint_of(const GrownLog& log) const;
  Result<void> write_record(const std::map<std::string, audit::Checkpoint>& record);
  Result<void> append(const std::string& log_name, const audit::Checkpoint& checkpoint);
  // Where the next note belongs: behind the last whole one.
  Result<std::uint64_t> end_of(audit::File& file, const std::string& path);

  audit::Files* files_;
  audit::TreeFiles trees_;
  std::string directory_;
  std::string place_;
  crypto::Ed25519Signer signer_;
  std::map<std::string, audit::Checkpoint> last_;  // by origin
  std::map<std::string, std::uint64_t> ends_;      // of the files appended to, by path
};

}  // namespace strongroom::auditd

// Witness: cosigns the checkpoints of logs that others keep (C2SP tlog-witness v1.0.0), so that no
// such log can show one history here and another there, or take back what it has shown. It sees
// sizes and hashes, never an entry. Of each log it keeps the newest checkpoint that it cosigned.
//
// Its folder:
//   etc/logs                     the logs that it knows (known_logs.h), by one of their shards;
//                                read at each request
//   state/<hex SHA-256(origin)>  the newest checkpoint of that log as it was answered: the log's
//                                signatures and the witness's own
//   state/lock                   held by the one process that works there
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/cosignature.h"
#include "audit/witness.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "crypto/signer.h"

namespace strongroom::witness {

// The answer to an add-checkpoint request: an HTTP status, and its body.
struct Answer {
  int status = 0;
  std::string_view content_type;
  std::string body;  // cosignature lines (200), the last size (409), else why not
};

// One thread: a request is judged and its state durable before the next is looked at, for two that
// ran into one another could roll each other back. Every call waits for the disk.
class Witness {
 public:
  // `name` is the witness's own, of its key; `clock` outlives it. conflict: another process works
  // in `folder`; corrupt: its state is gone; not_found, permission_denied, unavailable;
  // invalid_argument: no key may be named so.
  [[nodiscard]] static Result<Witness> open(std::string folder, std::string name,
                                            crypto::Ed25519Signer signer, const Clock& clock);

  [[nodiscard]] const audit::NoteKey& key() const noexcept { return verifier_.key(); }
  // Every answer of the protocol; 503 when the folder cannot be read or written, or holds something
  // else than was left there (a state that is lost must not look like a log's beginning), or
  // kShardsMax logs of this owner, and this one is new and not itself named in etc/logs.
  [[nodiscard]] Answer add_checkpoint(std::string_view body);
  // The newest checkpoint of the log whose origin has this SHA-256, in lower-case hex. not_found:
  // none was cosigned, or it is no such hash; corrupt, unavailable.
  [[nodiscard]] Result<std::string> checkpoint(std::string_view origin_hash) const;
  // The same of the log that comes next behind the origin `after`, of those with the same owner at
  // the same place; "<place>/<owner>/" comes before all of them. So whose store lacks a log whole,
  // and therefore does not know its name, is shown that it was there. The errors of checkpoint();
  // corrupt as long as any state cannot be read, which may be of that log.
  [[nodiscard]] Result<std::string> checkpoint_after(std::string_view after);

 private:
  Witness(std::string folder, FileLock lock, crypto::Ed25519Signer signer,
          audit::CosignatureVerifier verifier, const Clock& clock);
  void list_shards();
  bool list_shard(const std::string& file);
  [[nodiscard]] Result<bool> has_room_for(const std::string& origin) const;
  [[nodiscard]] Result<std::vector<audit::NoteKey>> known_logs() const;
  [[nodiscard]] Result<audit::WitnessedLog> read_log(std::string_view origin) const;
  [[nodiscard]] Result<Answer> answer(const audit::AddCheckpoint& request);
  [[nodiscard]] Result<Answer> cosign(const audit::AddCheckpoint& request,
                                      const audit::WitnessedLog& log);

  std::string folder_;
  FileLock lock_;
  crypto::Ed25519Signer signer_;
  audit::CosignatureVerifier verifier_;
  const Clock* clock_;
  // The origins of all logs with a state that auditd names so: those of an owner at a place stand
  // together, and ascend by time.
  std::set<std::string, std::less<>> shards_;
  std::vector<std::string> unread_;  // states that could not be read, and so are of unknown logs
};

// Whoever has a log's key can begin shards: so many of one owner at one place, for none is to take
// the others' room, nor the log's owner out: a log that etc/logs names needs none. A year begins
// one, and so does a break.
inline constexpr std::ptrdiff_t kShardsMax = 256;

// The files in `folder`, by their names, that each hold the state of a log.
[[nodiscard]] std::vector<std::string> state_files(const std::string& folder);
// Where `folder` keeps the logs that its witness knows.
[[nodiscard]] std::string known_logs_path(const std::string& folder);
// The file that a new witness is given there, and that is gone when its state is.
[[nodiscard]] std::string state_lock_path(const std::string& folder);
// The lower-case hex SHA-256 of an origin, by which monitors name a log.
[[nodiscard]] std::string origin_hash(std::string_view origin);

}  // namespace strongroom::witness

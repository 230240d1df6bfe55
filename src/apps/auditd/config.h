// [auditd] of strongroom.toml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/note.h"
#include "auditd/archivist.h"
#include "auditd/intake.h"
#include "base/config.h"
#include "service/deployment.h"

namespace strongroom::auditd {

struct Config {
  std::string directory;            // the journal and its checkpoints; auditd's alone
  std::string checkpoint_key_path;  // checkpoint_key: the sealed file of the key `audit-checkpoint`
  SecretReference passphrase;       // that opens it
  std::string public_key_path;      // public_key: the vkey text, written by --init
  // writers = { instance = "uid or user name" }. A name is looked up before the sandbox closes;
  // with names, SIGHUP cannot take over a new table.
  std::vector<WriterUser> writers;
  std::vector<audit::NoteKey> witnesses;  // vkeys of those whose cosignatures count; none: empty
  // quota_mib_per_minute: what each of them may write; read again on SIGHUP.
  std::uint64_t quota_bytes_per_minute = 0;
  std::uint64_t reserve_bytes = 0;           // reserve_mib: kept of the disk for when it is full
  std::vector<std::string> reserve_writers;  // who may write then; instances of `writers`

  // archive_key: the sealed file of the key `audit-archive`, under the same passphrase; empty:
  // nothing is archived.
  std::string archive_key_path;
  RetentionSettings retention;  // at_hand_days, keep_days, restored_days

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::auditd

// The checkpoints of a log as its files have them: what is signed, and what witnesses stand for.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/note.h"
#include "base/result.h"

namespace strongroom::tool {

struct SignedCheckpoint {
  std::string note;
  audit::Checkpoint checkpoint;
  struct Cosignature {
    std::string witness;  // its key's name
    std::int64_t time_s = 0;
  };
  std::vector<Cosignature> cosignatures;  // one per witness asked for that has cosigned it
};

// The newest checkpoint of a log, and the newest that a witness has cosigned; all signatures that
// are of a key given are verified. not_found: there is none; permission_denied: a signature does
// not verify; else as LogReader.
[[nodiscard]] Result<SignedCheckpoint> newest_signed(audit::LogReader& log,
                                                     const audit::NoteVerifier& key,
                                                     const Witnesses& witnesses);
[[nodiscard]] Result<SignedCheckpoint> newest_cosigned(audit::LogReader& log,
                                                       const audit::NoteVerifier& key,
                                                       const Witnesses& witnesses);

// Returns when every witness has cosigned what is signed of the log now, or more, or when
// `patience` is over.
void wait_for_witnesses(audit::LogReader& log, const audit::NoteVerifier& key,
                        const Witnesses& witnesses, std::chrono::seconds patience);

}  // namespace strongroom::tool

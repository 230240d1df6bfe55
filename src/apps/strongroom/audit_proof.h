// audit check-proof: what a proof file shows of an entry, judged without the log. Others' commands
// check what they write with the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/context.h"
#include "audit/checkpoint.h"
#include "base/result.h"

namespace strongroom::tool {

// What a proof file shows of an entry.
struct ShownProof {
  std::uint64_t index = 0;
  audit::Checkpoint checkpoint;
  std::string key;  // the vkey that has signed it
  struct Cosignature {
    std::string witness;
    std::int64_t time_s = 0;
  };
  std::vector<Cosignature> cosignatures;  // one per witness asked for
};

// Verifies the proof file's text with the entry's bytes. permission_denied also when a witness has
// not cosigned; else as verify_proof_file().
[[nodiscard]] Result<ShownProof> show_proof(std::string_view proof, std::string_view entry,
                                            const LogKey& key, const Witnesses& witnesses);

// The checkpoint of another log that `entry`, a `log.checkpoint` of the operator's log, records;
// nullopt: it is no such entry.
[[nodiscard]] std::optional<audit::Checkpoint> recorded_checkpoint(std::string_view entry);

struct ProofFiles {
  std::string proof;
  std::string entry;
};

struct CheckProofOptions {
  ProofFiles files;
  std::vector<std::string> record;     // proof and entry of the operator's log.checkpoint; or none
  std::string vkey;                    // file; empty: the one that [auditd] names
  std::vector<std::string> witnesses;  // vkeys, or files with one
};

// Says what was shown. A witness must have cosigned the checkpoint, or the record's where there is
// one. kCheckFailed: the files do not prove it. Needs no deployment where a vkey is given.
int check_proof(const Context& context, const CheckProofOptions& options);

}  // namespace strongroom::tool

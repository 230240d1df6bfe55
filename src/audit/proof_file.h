// Proof files (C2SP tlog-proof, draft; "*.tlog-proof"): one file that shows, with the entry and the
// log's key and without the log, that the entry is in it.
//
//   c2sp.org/tlog-proof@v1
//   [extra <base64>]
//   index <decimal>
//   <base64 of a hash>, from the leaf's sibling on, a line each
//   <empty line>
//   <the checkpoint as it was signed, cosignatures included>
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::size_t kProofFileBytesMax = std::size_t{64} << 10;

struct ProofFile {
  std::vector<std::byte> extra{};  // not authenticated: a hint to find the entry; empty for none
  std::uint64_t index = 0;
  std::vector<Hash> proof;
  std::string checkpoint;  // the signed note
  bool operator==(const ProofFile&) const = default;
};

[[nodiscard]] std::string proof_file_text(const ProofFile& file);
// invalid_argument: not of the form, or its checkpoint is none; too_large. Nothing is verified yet.
[[nodiscard]] Result<ProofFile> parse_proof_file(std::string_view text);

// The checkpoint that `log` signed and that holds `entry` at the file's index. permission_denied:
// not signed by the key, or the proof does not fit; invalid_argument: not a checkpoint of that log.
// Whether the cosignatures suffice is for the caller to judge (CosignatureVerifier).
[[nodiscard]] Result<Checkpoint> verify_proof_file(const ProofFile& file,
                                                   std::span<const std::byte> entry,
                                                   const NoteVerifier& log);

}  // namespace strongroom::audit

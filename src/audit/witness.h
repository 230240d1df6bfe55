// The witness's judgment (C2SP tlog-witness v1.0.0, add-checkpoint): whether a log's new checkpoint
// continues the one that the witness cosigned last. Pure: who calls it keeps the state and does the
// talking.
//
//   old <decimal>
//   <base64 of a hash>, the consistency proof, a line each
//   <empty line>
//   <the checkpoint as the log signed it>
#pragma once

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

// An add-checkpoint request, parsed.
struct AddCheckpoint {
  std::uint64_t old_size = 0;
  std::vector<Hash> proof;  // from the tree of old_size to the checkpoint's
  Note note;
  Checkpoint checkpoint;  // what the note's text says; nobody has checked its signatures
};

// The body of a request; `note` is the signed checkpoint.
[[nodiscard]] std::string add_checkpoint_body(std::uint64_t old_size, std::span<const Hash> proof,
                                              std::string_view note);
// invalid_argument, too_large: both are answered with `malformed`.
[[nodiscard]] Result<AddCheckpoint> parse_add_checkpoint(std::string_view body);

// What a witness holds of one log.
struct WitnessedLog {
  std::vector<NoteVerifier> keys;  // trusted to sign for the origin
  TreeHead last_cosigned =
      MerkleTree().head();  // of the newest checkpoint; the empty tree at first
};

// The HTTP status of the answer.
enum class WitnessStatus : std::uint16_t {
  cosigned = 200,   // the body is cosign(note.text, ...); the new head is durable before it is sent
  malformed = 400,  // also an old size above the checkpoint's
  not_signed = 403,    // by no trusted key, or one of their signatures does not verify
  unknown_log = 404,   // no trusted key for the origin
  not_the_last = 409,  // the old size is not the last cosigned: the body is that size and a
                       // newline, of type text/x.tlog.size
  inconsistent = 422,  // the proof does not verify, or the same size has another root
};

// The answer to `request`; `log` is what the witness holds of request.checkpoint.origin, nullptr
// when it does not know that log. Between this and the new head's being durable nothing else may be
// judged for the same log, else two requests could roll each other back. Never `malformed` but for
// the old size.
[[nodiscard]] WitnessStatus judge(const AddCheckpoint& request, const WitnessedLog* log);

}  // namespace strongroom::audit

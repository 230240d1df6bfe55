// Checkpoints (C2SP tlog-checkpoint v1.0.0): the size and root of a log, as a signed note whose key
// name is the log's origin.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/merkle.h"
#include "audit/note.h"
#include "base/result.h"

namespace strongroom::audit {

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Hash root{};
  [[nodiscard]] TreeHead head() const { return {size, root}; }
  bool operator==(const Checkpoint&) const = default;
};

// origin "\n" size "\n" base64(root) "\n"
[[nodiscard]] std::string checkpoint_text(const Checkpoint& checkpoint);
// Extension lines, which the log never writes, are accepted and dropped. invalid_argument.
[[nodiscard]] Result<Checkpoint> parse_checkpoint_text(std::string_view text);

// The signed note. The caller has made sure that it is consistent with every one signed before.
[[nodiscard]] std::string sign_checkpoint(const Checkpoint& checkpoint,
                                          const crypto::Ed25519Signer& signer);
// The checkpoint in `note`, whoever has signed it. invalid_argument, too_large.
[[nodiscard]] Result<Checkpoint> read_checkpoint(std::string_view note);
// The checkpoint in `note`, once the key has verified it and is named as the origin.
// invalid_argument, permission_denied, too_large.
[[nodiscard]] Result<Checkpoint> open_checkpoint(std::string_view note,
                                                 const NoteVerifier& verifier);

}  // namespace strongroom::audit

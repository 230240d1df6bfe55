// Cosignatures (C2SP tlog-cosignature v1.0.1, Ed25519): a witness's signature of a checkpoint,
// which says that at a time it was the largest tree the witness had seen of that log, and that it
// held all smaller ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/note.h"
#include "base/result.h"
#include "crypto/signer.h"

namespace strongroom::audit {

// The signature line for a checkpoint's text, extension lines included, at `time_s` (POSIX
// seconds). The name is not signed: a witness's key has one name only. REQUIRES: checkpoint_text
// ends in a newline; time_s > 0; is_key_name(name).
[[nodiscard]] std::string cosign(std::string_view checkpoint_text, std::int64_t time_s,
                                 std::string_view name, const crypto::Ed25519Signer& signer);

// CosignatureVerifier checks the cosignatures of one witness. Thread-safe.
class CosignatureVerifier {
 public:
  // invalid_argument unless the key's type is cosignature.
  [[nodiscard]] static Result<CosignatureVerifier> create(NoteKey key);
  [[nodiscard]] const NoteKey& key() const noexcept { return key_; }
  // The time (POSIX seconds) of the witness's newest cosignature on `note`; nullopt when it carries
  // none. permission_denied: one of them does not verify.
  [[nodiscard]] Result<std::optional<std::int64_t>> newest_s(const Note& note) const;

 private:
  CosignatureVerifier(NoteKey key, crypto::Ed25519Verifier verifier);
  NoteKey key_;
  std::uint32_t key_id_;
  crypto::Ed25519Verifier verifier_;
};

}  // namespace strongroom::audit

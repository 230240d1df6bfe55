// The signature at the end of auditd's snapshot (docs/formats/audit-trees.md), by the key that
// signs checkpoints: whoever can write to the folder cannot have a start skip entries of the
// journal, or forget a uid or an open intent.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "crypto/signer.h"

namespace strongroom::audit {

inline constexpr std::size_t kSnapshotSignatureBytes = sizeof(crypto::Ed25519Signature);

// Appends the signature of all that `snapshot` has so far.
void sign_snapshot(std::vector<std::byte>& snapshot, const crypto::Ed25519Signer& signer);
// Whether `snapshot` ends in a signature by `key` of all before it.
[[nodiscard]] bool snapshot_is_signed(std::span<const std::byte> snapshot,
                                      const crypto::Ed25519PublicKey& key);

}  // namespace strongroom::audit

// The signature of a snapshot.
#include "audit/snapshot_signature.h"

#include <string_view>

#include "base/encoding.h"
#include "crypto/hash.h"

namespace strongroom::audit {
namespace {

// What the key signs besides, the text of a checkpoint, begins with a line without a space.
constexpr std::string_view kContext = "strongroom audit snapshot\n";

std::vector<std::byte> signed_message(std::span<const std::byte> content) {
  std::vector<std::byte> message;
  append_bytes(message, as_bytes(kContext));
  append_bytes(message, crypto::sha256(content));
  return message;
}

}  // namespace

void sign_snapshot(std::vector<std::byte>& snapshot, const crypto::Ed25519Signer& signer) {
  append_bytes(snapshot, signer.sign(signed_message(snapshot)));
}

bool snapshot_is_signed(std::span<const std::byte> snapshot, const crypto::Ed25519PublicKey& key) {
  if (snapshot.size() < kSnapshotSignatureBytes) return false;
  const auto content = snapshot.first(snapshot.size() - kSnapshotSignatureBytes);
  return crypto::ed25519_verify(key, signed_message(content),
                                snapshot.last(kSnapshotSignatureBytes));
}

}  // namespace strongroom::audit

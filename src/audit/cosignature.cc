// Cosignatures: time and Ed25519 signature behind the key id.
#include "audit/cosignature.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kTimeBytes = 8;
constexpr std::uint64_t kTimeMax = std::numeric_limits<std::int64_t>::max();
constexpr Error kBad{ErrorCode::permission_denied, "cosignature does not verify"};

std::string signed_text(std::string_view checkpoint_text, std::uint64_t time_s) {
  return fmt::format("cosignature/v1\ntime {}\n{}", time_s, checkpoint_text);
}

}  // namespace

std::string cosign(std::string_view checkpoint_text, std::int64_t time_s, std::string_view name,
                   const crypto::Ed25519Signer& signer) {
  SR_CHECK(checkpoint_text.ends_with('\n') && time_s > 0 && is_key_name(name));
  const auto time = static_cast<std::uint64_t>(time_s);
  std::vector<std::byte> signature;
  append_u64be(signature, time);
  append_bytes(signature, signer.sign(as_bytes(signed_text(checkpoint_text, time))));
  return signature_line({std::string(name), signer.public_key(), NoteKeyType::cosignature},
                        signature);
}

CosignatureVerifier::CosignatureVerifier(NoteKey key, crypto::Ed25519Verifier verifier)
    : key_(std::move(key)), key_id_(key_.id()), verifier_(std::move(verifier)) {}

Result<CosignatureVerifier> CosignatureVerifier::create(NoteKey key) {
  if (key.type != NoteKeyType::cosignature) {
    return fail({ErrorCode::invalid_argument, "not the key of a witness"});
  }
  SR_TRY(crypto::Ed25519Verifier verifier, crypto::Ed25519Verifier::create(key.public_key));
  return CosignatureVerifier(std::move(key), std::move(verifier));
}

Result<std::optional<std::int64_t>> CosignatureVerifier::newest_s(const Note& note) const {
  std::optional<std::int64_t> newest;
  for (const NoteSignature& line : note.signatures) {
    if (line.name != key_.name || line.key_id != key_id_) continue;
    if (line.signature.size() < kTimeBytes) return fail(kBad);
    const std::uint64_t time = read_u64be(line.signature);
    const auto signature = std::span(line.signature).subspan(kTimeBytes);
    if (time > kTimeMax || !verifier_.verify(as_bytes(signed_text(note.text, time)), signature)) {
      return fail(kBad);
    }
    const auto time_s = static_cast<std::int64_t>(time);
    newest = std::max(newest.value_or(time_s), time_s);
  }
  return newest;
}

}  // namespace strongroom::audit

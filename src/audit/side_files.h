// What stands beside journal, trees and checkpoints of an audit log, and what verify_audit says of
// it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit/cosignature.h"
#include "audit/files.h"
#include "audit/note.h"
#include "audit/snapshot.h"
#include "audit/verify.h"
#include "base/result.h"

namespace strongroom::audit {

// The content of checkpoints/<log>.cosigned.
struct CosignedNote {
  std::string log;
  std::string text;
};
[[nodiscard]] Result<std::vector<CosignedNote>> read_cosigned(Files& files,
                                                              const std::string& directory);

// What is wrong with `note`: the log's own signature, a witness's, or the size and root that they
// are of, where the log has come to `size` entries and the files of its tree were compared.
[[nodiscard]] Result<std::optional<BadPlace>> check_cosigned(
    Files& files, const std::string& directory, const CosignedNote& note, const NoteVerifier& key,
    std::span<const CosignatureVerifier> witnesses, std::uint64_t size);

// The snapshot that auditd starts from, as `key` has signed it; neither where there is none.
struct CheckedSnapshot {
  std::optional<Snapshot> snapshot{};
  std::optional<BadPlace> bad{};
};
[[nodiscard]] Result<CheckedSnapshot> check_snapshot(Files& files, const std::string& directory,
                                                     const crypto::Ed25519PublicKey& key);

}  // namespace strongroom::audit

// Snapshot: what follows from the journal up to one place, so that a start reads only what lies
// behind it (docs/formats/audit-trees.md gives the file byte by byte). It is no evidence: one that
// is absent, damaged, not signed or contradicts the last signed checkpoints is not used. Once the
// beginning of the journal is in archives, a start without one needs these back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/archive_records.h"
#include "audit/failure_records.h"
#include "audit/logs.h"
#include "base/id.h"
#include "base/result.h"
#include "crypto/signer.h"

namespace strongroom::audit {

inline constexpr std::string_view kSnapshotName = "snapshot";
inline constexpr std::size_t kSnapshotBytesMax = std::size_t{1} << 30;

struct Snapshot {
  struct LogState {
    std::string name;
    MerkleTree tree;
    std::uint64_t recorded_size = 0;
  };
  struct WriterState {
    std::string instance;
    std::vector<EntryId> uids;                                      // oldest first
    std::vector<std::pair<OperationId, std::string>> open_intents;  // and the intent's JSON
  };

  // The last entry that is taken in, by which the journal is known to be the same.
  FramePlace last_frame;
  std::uint64_t last_sequence = 0;
  Hash last_leaf{};
  std::string broken_at;  // as LogNames'
  std::vector<LogState> logs;
  std::vector<WriterState> writers;
  ArchiveRecords archives;
  FailureRecords failures;
};

[[nodiscard]] std::vector<std::byte> encode_snapshot(const Snapshot& snapshot,
                                                     const crypto::Ed25519Signer& signer);
// corrupt: not what encode_snapshot() gives, its digest included. Who has signed it tells
// snapshot_is_signed().
[[nodiscard]] Result<Snapshot> parse_snapshot(std::span<const std::byte> bytes);

}  // namespace strongroom::audit

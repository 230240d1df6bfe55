// verify_audit: reads a whole audit log again and says whether it is what was written and signed
// for. It needs the folder and public keys, nothing of the daemon's; it writes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/entry.h"
#include "audit/files.h"
#include "audit/note.h"
#include "audit/segment.h"
#include "base/result.h"

namespace strongroom::audit {

// The first place that is not as it must be. What does not apply is empty or zero.
struct BadPlace {
  std::string_view what{};         // literal: "journal holds a damaged frame"
  std::string file{};              // name within the folder
  std::uint64_t offset_bytes = 0;  // of the first suspect byte there
  std::uint64_t sequence = 0;      // of the first suspect entry
  std::string log{};               // "operator-2026", when one is concerned
  std::uint64_t index_begin = 0;   // of the log's entries: the first that may be concerned, ...
  std::uint64_t index_end = 0;     // ... and behind the last; one entry where it is known which
  // Of a damaged frame of the journal: all that was signed for stands before it, ...
  bool behind_signed = false;
  bool torn = false;  // ... and it may be the end of a write that a crash cut, unacknowledged
};

struct OpenIntentPlace {
  OperationId operation_id;
  std::string instance;
  EventType event_type = EventType::access_denied;
  std::uint64_t sequence = 0;
};

inline constexpr std::size_t kOpenIntentsListedMax = 1'000;

struct VerifyReport {
  std::uint64_t entries = 0;  // that were read
  // In segments that are no longer in the folder. Their hashes, from the trees, are what was signed
  // for; the entries themselves were not seen.
  std::uint64_t unread_entries = 0;
  std::uint64_t segments = 0;
  std::uint64_t logs = 0;
  std::uint64_t checkpoints = 0;       // whose signature and root were checked
  std::uint64_t unsigned_entries = 0;  // newer than their log's last checkpoint
  std::uint64_t open_intent_count = 0;
  std::vector<OpenIntentPlace> open_intents;  // the first kOpenIntentsListedMax, by sequence
  // Archives that are what the log says, and still locked or not disposed of.
  std::uint64_t archives = 0;
  // Whether all is known that the log says of its archives: the journal is here from its first
  // entry on, or a snapshot that fits tells what the rest said.
  bool archives_known = true;
  // Files of archives that nothing here vouches for, by first sequence: neither an entry that was
  // read nor a snapshot that fits tells of them.
  std::vector<std::uint64_t> unvouched_archives;
  // Parts of the journal that left it, of which neither an archive nor a restored copy is here, nor
  // does the log, as far as it is known, say that they were disposed of.
  std::vector<ClosedSegment> unaccounted;
  std::optional<BadPlace> bad;
  [[nodiscard]] bool ok() const noexcept { return !bad.has_value(); }
  // Whether nothing is bad, and nothing that must be here may be missing either.
  [[nodiscard]] bool complete() const noexcept {
    return ok() && archives_known && unvouched_archives.empty() && unaccounted.empty();
  }
};

struct VerifyProgress {
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t entries = 0;
};
// Called about every ten thousand entries and at the end.
using VerifyCallback = std::function<void(const VerifyProgress&)>;

// auditd signs within a second or two. What is unsigned for longer than this may have been made up
// by whoever could write to the folder.
inline constexpr std::int64_t kUnsignedAgeMaxUs = 300'000'000;

// Checks every frame (CRC, sequence), every entry's form, every checkpoint's signature and the root
// of its log at its size, the record of the last signed ones, the files of the trees, cosigned
// checkpoints, the snapshot's signature, and that all entries older at `now_us` than
// kUnsignedAgeMaxUs are signed for, and that the archives which the entries read, and before them
// the snapshot, tell of are there while they are locked; lists the intents without outcome. Where
// the oldest segments are gone, their entries' hashes come from the trees. `vkey` is the operator
// log's key of any year: it names the place and holds the one public key. Cosignatures of others
// than `witnesses` are not judged. Stops at the first bad place. May run beside auditd: what is not
// complete while archives come or go is looked at again.
// invalid_argument: `vkey` or a witness's key is none; unavailable.
[[nodiscard]] Result<VerifyReport> verify_audit(Files& files, const std::string& directory,
                                                std::string_view vkey, std::int64_t now_us,
                                                const VerifyCallback& progress = {},
                                                std::span<const NoteKey> witnesses = {});

}  // namespace strongroom::audit

// ArchiveRecords: what the log says of its archives, entry by entry. The log is the authority: what
// an archive's header says can lock it longer, never shorter.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "audit/entry_view.h"
#include "crypto/hash.h"

namespace strongroom::audit {

// What a log.archive entry says was done; the text stands in its api.operation.
enum class ArchiveAct : std::uint8_t { begin, seal, hold, restore, dispose };
[[nodiscard]] std::string_view to_string(ArchiveAct act) noexcept;

struct ArchiveRecord {
  crypto::Sha256Digest sha256{};     // of the archive's file
  std::int64_t locked_until_ms = 0;  // Unix time
  // The segment's copy, where there is one, is kept until then; 0: there was none.
  std::int64_t restored_until_ms = 0;
  bool disposed = false;
  bool operator==(const ArchiveRecord&) const = default;
};

// By the first sequence of the segment.
using ArchiveRecords = std::map<std::uint64_t, ArchiveRecord>;

// Takes in a log.archive entry of the journal; others and those of no archive change nothing.
void take_archive_entry(ArchiveRecords& records, const EntryView& entry);

}  // namespace strongroom::audit

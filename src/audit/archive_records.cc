// ArchiveRecords.
#include "audit/archive_records.h"

#include <algorithm>
#include <array>

#include "audit/archive.h"

namespace strongroom::audit {
namespace {

constexpr std::array<std::string_view, 5> kActs{"begin", "seal", "hold", "restore", "dispose"};

}  // namespace

std::string_view to_string(ArchiveAct act) noexcept { return kActs[static_cast<std::size_t>(act)]; }

void take_archive_entry(ArchiveRecords& records, const EntryView& entry) {
  if (entry.event_type != EventType::log_archive || entry.resource_count == 0) return;
  const auto sequence = sequence_of_archive(entry.resources[0]);
  if (!sequence) return;
  ArchiveRecord& record = records[*sequence];
  const auto until = static_cast<std::int64_t>(entry.until_ms.value_or(0));
  if (entry.operation == to_string(ArchiveAct::seal)) {
    record.sha256 = entry.sha256.value_or(crypto::Sha256Digest{});
    record.disposed = false;
  }
  if (entry.operation == to_string(ArchiveAct::seal) ||
      entry.operation == to_string(ArchiveAct::hold)) {
    record.locked_until_ms = std::max(record.locked_until_ms, until);
  }
  if (entry.operation == to_string(ArchiveAct::restore)) record.restored_until_ms = until;
  if (entry.operation == to_string(ArchiveAct::dispose)) record.disposed = true;
}

}  // namespace strongroom::audit

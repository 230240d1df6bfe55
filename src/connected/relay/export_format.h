// The forms that entries leave in: syslog (RFC 5424), CEF inside it, and NDJSON. Each carries the
// log's origin, the entry's index and its leaf hash, so that a copy can be checked against the log.
// docs/formats/audit-export.md gives them byte by byte. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strongroom::connected::relay {

enum class ExportFormat : std::uint8_t { syslog, cef, ndjson };

struct ExportedEntry {
  std::string origin;  // of the log
  std::uint64_t index = 0;
  std::string_view bytes;  // the entry as it is in the journal
};

// One record without an end: one line, whatever the entry. `host` is this host's name.
[[nodiscard]] std::string export_record(ExportFormat format, const ExportedEntry& entry,
                                        std::string_view host);

}  // namespace strongroom::connected::relay

#include "connected/relay/export_format.h"

#include <fmt/core.h>

#include <algorithm>

#include "audit/entry.h"
#include "audit/entry_names.h"
#include "audit/merkle.h"
#include "base/clock.h"
#include "base/encoding.h"

namespace strongroom::connected::relay {
namespace {

// RFC 5424 section 6.2.
constexpr int kFacility = 13;  // log audit
constexpr std::size_t kHostBytesMax = 255;
constexpr std::size_t kAppBytesMax = 48;
constexpr std::size_t kMessageIdBytesMax = 32;
// The number that RFC 5612 keeps for examples: it is nobody's.
constexpr std::string_view kStructuredData = "tlog@32473";

// A header field: printable ASCII without blanks, "-" for nothing.
std::string header_field(std::string_view text, std::size_t bytes_max) {
  std::string field(text.substr(0, bytes_max));
  std::erase_if(field, [](char c) { return c < '!' || c > '~'; });
  return field.empty() ? "-" : field;
}

// `text` with a backslash before each of `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (special.contains(c)) out += '\\';
    out += c;
  }
  return out;
}

// RFC 5424 section 6.2.1: of OCSF's 1 Informational to 4 High.
int syslog_severity(int severity_id) noexcept {
  constexpr int kInformational = 6, kNotice = 5, kWarning = 4, kError = 3;
  switch (severity_id) {
    case 4:
      return kError;
    case 3:
      return kWarning;
    case 2:
      return kNotice;
    default:
      return kInformational;
  }
}

// CEF has 0 to 10: low to 3, medium to 6, high to 8.
int cef_severity(int severity_id) noexcept { return std::clamp(severity_id * 2, 2, 8); }

std::string leaf_of(const ExportedEntry& exported) {
  return base64(audit::leaf_hash(as_bytes(exported.bytes)));
}

std::string with_syslog_header(const ExportedEntry& exported, const audit::Entry& entry,
                               std::string_view host, std::string_view message) {
  const int severity = syslog_severity(audit::severity_id(entry.event_type, entry.outcome));
  return fmt::format(R"(<{}>1 {} {} {} - {} [{} origin="{}" index="{}" leaf="{}"] {})",
                     kFacility * 8 + severity, rfc3339(entry.time_us),
                     header_field(host, kHostBytesMax), header_field(entry.instance, kAppBytesMax),
                     header_field(audit::name(entry.event_type), kMessageIdBytesMax),
                     kStructuredData, escaped(exported.origin, "\"\\]"), exported.index,
                     leaf_of(exported), message);
}

// CEF's extension: keys of its dictionary where it has one, custom strings with a label where not.
class CefExtension {
 public:
  void add(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    if (!text_.empty()) text_ += ' ';
    text_.append(key).append("=").append(escaped(value, "=\\"));
  }
  void add_labeled(std::string_view key, std::string_view label, std::string_view value) {
    if (value.empty()) return;
    add(key, value);
    add(std::string(key) + "Label", label);
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += ' ';
    text += item;
  }
  return text;
}

std::string cef_message(const ExportedEntry& exported, const audit::Entry& entry) {
  const std::string_view type = audit::name(entry.event_type);
  CefExtension extension;
  extension.add("rt", std::to_string(entry.time_us / 1'000));
  extension.add("externalId", uuid_text(entry.uid.bytes));
  extension.add("suser", entry.user.empty() ? entry.instance : entry.user);
  extension.add("src", entry.source_ip);
  extension.add("act", entry.operation);
  extension.add("outcome", name(entry.outcome));
  extension.add("deviceProcessName", entry.instance);
  extension.add_labeled("cs1", "origin", exported.origin);
  extension.add_labeled("cn1", "index", std::to_string(exported.index));
  extension.add_labeled("cs2", "leafHash", leaf_of(exported));
  extension.add_labeled("cs3", "resources", joined(entry.resources));
  extension.add_labeled("cs4", "merchant", entry.merchant_id);
  extension.add_labeled("cs5", "request", entry.request_id);
  extension.add_labeled("cs6", "phase", name(entry.phase));
  return fmt::format(
      "CEF:0|Strongroom|Strongroom|1|{}|{}|{}|{}", escaped(type, "|\\"), escaped(type, "|\\"),
      cef_severity(audit::severity_id(entry.event_type, entry.outcome)), extension.text());
}

// The entry's facts; of an entry of a later version only that it is there.
audit::Entry facts_of(std::string_view bytes) {
  auto entry = audit::parse_entry(bytes);
  return entry ? *std::move(entry) : audit::Entry{};
}

}  // namespace

std::string export_record(ExportFormat format, const ExportedEntry& entry, std::string_view host) {
  switch (format) {
    case ExportFormat::syslog:
      return with_syslog_header(entry, facts_of(entry.bytes), host, entry.bytes);
    case ExportFormat::cef: {
      const audit::Entry facts = facts_of(entry.bytes);
      return with_syslog_header(entry, facts, host, cef_message(entry, facts));
    }
    case ExportFormat::ndjson:
      return fmt::format(R"({{"origin":"{}","index":{},"leaf_hash":"{}","entry":{}}})",
                         entry.origin, entry.index, leaf_of(entry), entry.bytes);
  }
  std::unreachable();
}

}  // namespace strongroom::connected::relay

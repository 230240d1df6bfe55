// Reading what is said of a backup, and recording it.
#include "auditd/backup_routes.h"

#include <boost/json/array.hpp>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "auditd/said_entry.h"
#include "base/encoding.h"
#include "base/try.h"
#include "wire/json.h"

namespace strongroom::auditd {

using http::Request;

namespace {

constexpr wire::TextLength kIdLength{.min = 32, .max = 32};
constexpr wire::TextLength kWordLength{.min = 1, .max = 16};
constexpr wire::TextLength kDigestLength{.min = 64, .max = 64};
constexpr std::size_t kPartNameMax = 64;
constexpr std::size_t kPartsMax = audit::kResourcesMax - 1;
constexpr std::string_view kBegin = "begin", kEnd = "end", kFailed = "failed", kDump = "dump";
constexpr wire::Problem kNoBackup{wire::ProblemType::invalid_value, "not what is said of a backup"};

std::expected<audit::Entry, wire::Problem> parse_said(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  const std::string_view id = reader.text("#/id", kIdLength);
  const std::string_view kind = reader.text("#/kind", kWordLength);
  const std::string_view act = reader.text("#/act", kWordLength);
  const boost::json::array* parts = reader.array("#/parts", kPartsMax);
  const auto sha256 = reader.text_or_none("#/sha256", kDigestLength);
  const auto size_bytes =
      reader.integer_or_none("#/size_bytes", 0, std::numeric_limits<std::int64_t>::max());
  if (const auto problem = reader.finish("id, kind, act, parts, sha256, size_bytes")) {
    return std::unexpected(*problem);
  }
  std::array<std::byte, 16> id_bytes{};
  const bool known = (kind == "data" || kind == "keys" || kind == kDump) &&
                     (act == kBegin || act == kEnd || act == kFailed);
  const bool lacks_hash = act == kEnd && !sha256;
  if (!known || lacks_hash || !parse_hex(id, id_bytes)) return std::unexpected(kNoBackup);
  audit::Entry entry{
      .event_type = kind == "keys" ? audit::EventType::key_backup : audit::EventType::backup_create,
      .outcome = act == kFailed ? audit::Outcome::failed : audit::Outcome::success,
      .operation = std::string(act == kBegin ? kBegin : kEnd),
      .resources = {(kind == kDump ? "dump " : "backup ") + std::string(id)}};
  for (const boost::json::value& part : *parts) {
    if (!part.is_string() || part.get_string().size() > kPartNameMax) {
      return std::unexpected(kNoBackup);
    }
    entry.resources.emplace_back(part.get_string());
  }
  if (sha256 && !parse_hex(*sha256, entry.sha256.emplace())) return std::unexpected(kNoBackup);
  if (size_bytes) entry.new_size_bytes = static_cast<std::uint64_t>(*size_bytes);
  return entry;
}

}  // namespace

void add_backup_routes(http::Router& router, const std::function<Auditd*()>& auditd) {
  router.add({.method = http::Method::post,
              .pattern = "/v1/backups",
              .identities = {http::kLocal},
              .handler = [auditd](Request& request) {
                return record_said(auditd(), request, parse_said(as_text(request.body())));
              }});
}

}  // namespace strongroom::auditd

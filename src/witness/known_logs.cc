// Lines of known logs.
#include "witness/known_logs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "audit/lines.h"
#include "audit/logs.h"
#include "base/clock.h"
#include "base/try.h"

namespace strongroom::witness {
namespace {

constexpr std::string_view kLog = "log ";
constexpr std::size_t kYearDigits = 4;

// By what the last part of an origin says: "2026", or "2026b20261122T150000Z", the time of a break
// that this year's entries or an earlier one's came after.
bool may_begin(std::string_view origin, std::int64_t now_us) {
  const std::string_view shard = origin.substr(origin.rfind('/') + 1);
  const std::string_view year = shard.substr(0, kYearDigits);
  std::string_view latest = year;
  if (shard.size() > kYearDigits) {
    const std::string_view at = shard.substr(kYearDigits + 1);
    const auto time = parse_rfc3339(fmt::format("{}-{}-{}T{}:{}:{}Z", at.substr(0, 4),
                                                at.substr(4, 2), at.substr(6, 2), at.substr(9, 2),
                                                at.substr(11, 2), at.substr(13, 2)));
    if (!time || at < year) return false;
    latest = at.substr(0, kYearDigits);
  }
  const auto this_year = audit::parse_decimal(rfc3339(now_us).substr(0, kYearDigits));
  const auto theirs = audit::parse_decimal(latest);
  return this_year && theirs && *theirs <= *this_year + 1;
}

std::vector<audit::NoteKey> named(const std::vector<audit::NoteKey>& known,
                                  std::string_view origin) {
  std::vector<audit::NoteKey> keys;
  std::ranges::copy_if(known, std::back_inserter(keys),
                       [&](const audit::NoteKey& key) { return key.name == origin; });
  return keys;
}

}  // namespace

Result<std::vector<audit::NoteKey>> parse_known_logs(std::string_view text) {
  std::vector<audit::NoteKey> keys;
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::string_view line = audit::take_line(text);
    if (line.empty() || line.starts_with('#')) continue;
    auto key = audit::NoteKey::parse(line.starts_with(kLog) ? line.substr(kLog.size()) : "");
    if (!key) {
      return fail(
          Error{ErrorCode::invalid_argument, "not a line `log <vkey>`"}.with_detail(number));
    }
    keys.push_back(*std::move(key));
  }
  return keys;
}

std::string_view stem_of(std::string_view origin) {
  const auto place = audit::place_of_origin(origin);
  const auto name = place ? audit::name_of_origin(*place, origin) : std::unexpected(place.error());
  if (!name || !audit::is_log_name(*name)) return {};
  return origin.substr(0, origin.rfind('/'));
}

std::vector<audit::NoteKey> keys_of(const std::vector<audit::NoteKey>& known,
                                    std::string_view origin, std::int64_t now_us) {
  std::vector<audit::NoteKey> keys = named(known, origin);
  const std::string_view stem = stem_of(origin);
  if (!keys.empty() || stem.empty() || !may_begin(origin, now_us)) return keys;
  std::string_view newest;  // shards sort by time
  for (const audit::NoteKey& key : known) {
    if (stem_of(key.name) == stem && key.name < origin)
      newest = std::max<std::string_view>(newest, key.name);
  }
  keys = named(known, newest);
  for (audit::NoteKey& key : keys) key.name = origin;
  return keys;
}

std::string with_log(std::string text, const audit::NoteKey& key) {
  const std::string line = fmt::format("{}{}\n", kLog, key.text());
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  if (text.starts_with(line) || text.contains("\n" + line)) return text;
  return text + line;
}

}  // namespace strongroom::witness

// Lines of known logs.
#include "witness/known_logs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>

#include "audit/lines.h"

namespace strongroom::witness {
namespace {

constexpr std::string_view kLog = "log ";

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

std::string with_log(std::string text, const audit::NoteKey& key) {
  const std::string line = fmt::format("{}{}\n", kLog, key.text());
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  if (text.starts_with(line) || text.contains("\n" + line)) return text;
  return text + line;
}

}  // namespace strongroom::witness

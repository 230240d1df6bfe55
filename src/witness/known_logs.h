// The logs that a witness cosigns: a text file with a line `log <vkey>` each, as C2SP's tlog-policy
// writes it. Empty lines and those that begin with `#` say nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/note.h"
#include "base/result.h"

namespace strongroom::witness {

inline constexpr std::size_t kKnownLogsBytesMax = std::size_t{1} << 20;

// The keys, in the file's order. A key's name is its log's origin; a log may have several keys.
// invalid_argument (detail: the line) for any other line.
[[nodiscard]] Result<std::vector<audit::NoteKey>> parse_known_logs(std::string_view text);

// All of an origin but its shard, so the owner and the place; empty unless it is that of a log as
// auditd names them. Valid as long as `origin`.
[[nodiscard]] std::string_view stem_of(std::string_view origin);

// Those of `known` that sign for the log of this origin: the keys that are named after it; else,
// where it is a shard (audit/logs.h) that came later than one that is named, those of the newest
// such shard of its owner at its place, under its own name. So a log needs to be named once, not
// every year; a later line begins a later key. A shard of a later year than the one after
// `now_us`, or of no time that there can be, is nobody's.
[[nodiscard]] std::vector<audit::NoteKey> keys_of(const std::vector<audit::NoteKey>& known,
                                                  std::string_view origin, std::int64_t now_us);

// `text` with a line for `key` at its end, unless it knows that key.
[[nodiscard]] std::string with_log(std::string text, const audit::NoteKey& key);

}  // namespace strongroom::witness

// Places: which files each part of a backup may hold. A manifest's writer knows the passphrase of
// its own folder alone, so what it names must not come to stand where another part's files do.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backup/manifest.h"

namespace strongroom::backup {

// The parts: one of each database, by its name, and these.
inline constexpr std::string_view kFilesPart = "files";  // configuration, public and sealed files
inline constexpr std::string_view kLogPart = "log";
inline constexpr std::string_view kKeysPart = "keys";
inline constexpr std::string_view kLogFolder = "audit";  // where the log is, below DIR
inline constexpr std::string_view kDataFolder = "data";  // of it, the sealed files alone
inline constexpr std::string_view kTokenFolder = "hsm";  // of the keys: SoftHSM's
inline constexpr std::string_view kConfigFile = "etc/strongroom.toml";

// The folders of DIR whose files `part` holds; none: a database's, or no part.
[[nodiscard]] std::span<const std::string_view> folders_of(std::string_view part) noexcept;
// Whether the file at `path` below DIR may be in `part`, or the dump of that name.
[[nodiscard]] bool belongs_to(std::string_view part, std::string_view path);

// What is not as it must be, for people: a part that no such backup has, that it names twice or
// lacks, a file that does not belong to its part, or a database's part that is not one dump.
[[nodiscard]] std::optional<std::string> misplaced(const Manifest& manifest);

}  // namespace strongroom::backup

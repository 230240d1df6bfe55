// The one table of places.
#include "backup/places.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>

#include "audit/checkpoint_files.h"

namespace strongroom::backup {
namespace {

constexpr std::array<std::string_view, 3> kFilesFolders{"etc", "public", kDataFolder};
constexpr std::array<std::string_view, 1> kLogFolders{kLogFolder};
constexpr std::array<std::string_view, 3> kKeysFolders{kTokenFolder, "secrets", "tls"};
constexpr std::array<std::string_view, 5> kDataParts{"auth", "core", "vault", kFilesPart, kLogPart};
constexpr std::array<std::string_view, 1> kKeysParts{kKeysPart};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::span<const std::string_view> parts_of(Kind kind) {
  return kind == Kind::keys ? std::span<const std::string_view>(kKeysParts) : kDataParts;
}

// Every other part of the data has folders.
bool is_database(std::string_view part) {
  return contains(kDataParts, part) && folders_of(part).empty();
}

// Who knows the data's passphrase alone must not bring a file by a restore that some program looks
// for. So of each folder there is no more than what `create` finds there.
bool is_one_of_files(std::string_view folder, std::string_view name) {
  if (folder == kDataFolder) return name.ends_with(".sealed");
  if (folder == "public") return !name.contains('/');
  return kConfigFile == fmt::format("{}/{}", folder, name);
}

// What an auditd writes for itself alone is no part of the log.
bool is_one_of_log(std::string_view name) {
  return name != "lock" && name != "reserve" && name != "refused" &&
         name != audit::kRolledBackName && !name.starts_with("restored/");
}

}  // namespace

std::span<const std::string_view> folders_of(std::string_view part) noexcept {
  if (part == kFilesPart) return kFilesFolders;
  if (part == kLogPart) return kLogFolders;
  if (part == kKeysPart) return kKeysFolders;
  return {};
}

bool belongs_to(std::string_view part, std::string_view path) {
  if (is_database(part)) return path == part;
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view folder = path.substr(0, slash);
  if (!contains(folders_of(part), folder)) return false;
  const std::string_view name = path.substr(slash + 1);
  if (part == kFilesPart) return is_one_of_files(folder, name);
  return part != kLogPart || is_one_of_log(name);
}

std::optional<std::string> misplaced(const Manifest& manifest) {
  std::set<std::string_view> names;
  for (const Part& part : manifest.parts) {
    if (!contains(parts_of(manifest.kind), part.name)) {
      return fmt::format("has a part {}, which is none of a backup of {}", part.name,
                         to_string(manifest.kind));
    }
    if (!names.insert(part.name).second) return fmt::format("has the part {} twice", part.name);
    if (is_database(part.name) && part.files.size() != 1) {
      return fmt::format("part {} names {} files, and is one dump", part.name, part.files.size());
    }
    for (const BackedFile& file : part.files) {
      if (belongs_to(part.name, file.path)) continue;
      return fmt::format("part {} names {}, which does not belong there", part.name, file.path);
    }
  }
  for (const std::string_view name : parts_of(manifest.kind)) {
    if (!names.contains(name)) return fmt::format("has no part {}", name);
  }
  return std::nullopt;
}

}  // namespace strongroom::backup

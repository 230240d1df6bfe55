// Claiming and emptying DIR.
#include "apps/strongroom/deployment_folder.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

// A database server of the deployment's own may keep its data in DIR: it must run before its
// databases can be made.
constexpr std::string_view kServerFolder = "postgres";

bool is_ours(const fs::path& path) { return path.filename() != kServerFolder; }

bool holds_anything(const std::string& directory) {
  std::error_code error;
  const fs::directory_iterator entries(directory, error);
  return std::any_of(begin(entries), end(entries),
                     [](const fs::directory_entry& entry) { return is_ours(entry.path()); });
}

}  // namespace

std::expected<void, std::string> claim_folder(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory, error)) {
    if (!fs::is_directory(directory, error) || holds_anything(directory)) {
      return std::unexpected(fmt::format("{} exists and is not an empty folder", directory));
    }
    constexpr auto kOthersMay = fs::perms::group_read | fs::perms::group_write |
                                fs::perms::others_read | fs::perms::others_write;
    fs::permissions(directory, kOthersMay, fs::perm_options::remove, error);
  } else {
    fs::create_directories(fs::path(directory).parent_path(), error);
    if (!error && ::mkdir(directory.c_str(), S_IRWXU) != 0) {
      error = std::error_code(errno, std::generic_category());
    }
  }
  if (error) return std::unexpected(fmt::format("{}: {}", directory, error.message()));
  return {};
}

std::string empty_folder(const std::string& directory) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    if (is_ours(entry.path())) fs::remove_all(entry.path(), error);
  }
  return error ? fmt::format("{} could not be emptied: {}", directory, error.message())
               : fmt::format("{} is empty again", directory);
}

}  // namespace strongroom::tool

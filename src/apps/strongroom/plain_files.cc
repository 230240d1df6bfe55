// Listing.
#include "apps/strongroom/plain_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "apps/strongroom/context.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

// Adds what `folder` has, its folders to `folders`.
Done<void> look_into(const fs::path& root, const fs::path& folder, std::vector<fs::path>& folders,
                     std::vector<std::string>& files) {
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const fs::file_status status = at->symlink_status(error);
    if (status.type() == fs::file_type::not_found) continue;  // removed since it was listed
    if (error) break;
    if (status.type() == fs::file_type::directory) {
      folders.push_back(at->path());
    } else if (status.type() == fs::file_type::regular) {
      files.push_back(at->path().lexically_relative(root).string());
    } else {
      return failure(kUsage, fmt::format("{}: neither a file nor a folder, so it would be missing",
                                         at->path().string()));
    }
  }
  if (!error || (error == std::errc::no_such_file_or_directory && folder != root)) return {};
  return failure(kUsage, fmt::format("{}: {}", folder.string(), text_of_errno(error.value())));
}

}  // namespace

Done<std::vector<std::string>> plain_files(const std::string& root) {
  std::vector<std::string> files;
  std::error_code error;
  if (fs::status(root, error).type() == fs::file_type::not_found) return files;
  std::vector<fs::path> folders{root};
  while (!folders.empty()) {
    const fs::path folder = std::move(folders.back());
    folders.pop_back();
    SR_CHECK_OK(look_into(root, folder, folders, files));
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace strongroom::tool

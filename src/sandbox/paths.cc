#include "sandbox/paths.h"

#include <unistd.h>

namespace strongroom::sandbox {

void add_path(std::vector<std::string>& list, const std::string& path) {
  if (!path.empty()) list.push_back(path);
}

void add_paths(std::vector<std::string>& list, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) add_path(list, path);
}

std::vector<std::string> name_files() {
  std::vector<std::string> files;
  for (const char* file : {"/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf"}) {
    if (::access(file, R_OK) == 0) files.emplace_back(file);
  }
  return files;
}

}  // namespace strongroom::sandbox

// Small parts of the lists of rights. Internal to the sandbox.
#pragma once

#include <string>
#include <vector>

namespace strongroom::sandbox {

// Adds `path` to `list` unless it is empty, which stands for something that the deployment does not
// use.
void add_path(std::vector<std::string>& list, const std::string& path);
void add_paths(std::vector<std::string>& list, const std::vector<std::string>& paths);

// What resolving "localhost" reads, where this host has it. Addresses in the configuration are IP
// addresses or this one name, so no process of the vault needs DNS.
[[nodiscard]] std::vector<std::string> name_files();

}  // namespace strongroom::sandbox

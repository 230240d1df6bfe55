// DIR while a deployment is made in it, by init or by restore.
#pragma once

#include <expected>
#include <string>

namespace strongroom::tool {

// DIR exists afterwards, without anything of ours, and nobody else can list or change it; or why
// not, and then it is as it was.
[[nodiscard]] std::expected<void, std::string> claim_folder(const std::string& directory);
// Removes what is ours from a folder that was empty when it was claimed; says how that ended.
[[nodiscard]] std::string empty_folder(const std::string& directory);

}  // namespace strongroom::tool

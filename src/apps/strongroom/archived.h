// What commands say of entries that have left the journal for archives.
#pragma once

#include <cstdint>
#include <string>

#include "audit/files.h"

namespace strongroom::tool {

// The archive, and the command that brings its entries back; or that it is no longer there.
[[nodiscard]] std::string where_archived(audit::Files& files, const std::string& directory,
                                         std::uint64_t first_sequence);

// `number` in words: "1 entry", "2 entries".
[[nodiscard]] std::string entries_text(std::uint64_t number);

}  // namespace strongroom::tool

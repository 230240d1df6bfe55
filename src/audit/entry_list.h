// Entry lists: entries as they are handed from one program to another, which then does what they
// tell. Integers are big-endian.
//
//   list = u64 count | count times (u32 length | entry)
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "base/result.h"

namespace strongroom::audit {

// Of entries as to_json() wrote them, each at most kEntryBytesMax bytes.
[[nodiscard]] std::vector<std::byte> entry_list(std::span<const std::string> entries);

// Fills `out`; with fewer bytes only at the end.
using TakeBytes = std::function<Result<std::size_t>(std::span<std::byte> out)>;
using TakeEntry = std::function<Result<void>(const Entry&)>;
// Gives `each` every entry, and reads no further than the last one. corrupt: cut short, or holds
// what is no entry; and the errors of `source` and `each`.
[[nodiscard]] Result<void> read_entry_list(const TakeBytes& source, const TakeEntry& each);

}  // namespace strongroom::audit

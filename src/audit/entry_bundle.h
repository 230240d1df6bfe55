// Entry bundles (C2SP tlog-tiles v0.1.0): the entries whose leaf hashes a tile of level 0 holds.
//
//   bundle = 1 to 256 times (u16be length | entry)
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::size_t kBundleEntryBytesMax = 65'535;

// Appends one entry to `bundle`. REQUIRES: entry.size() <= kBundleEntryBytesMax.
void append_to_bundle(std::vector<std::byte>& bundle, std::span<const std::byte> entry);

// The entries of `bundle`, as views into it. invalid_argument unless they are exactly `width`,
// which is that of the tile, and nothing stands behind them.
[[nodiscard]] Result<std::vector<std::span<const std::byte>>> parse_bundle(
    std::span<const std::byte> bundle, std::size_t width);

}  // namespace strongroom::audit

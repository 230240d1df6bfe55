// The hashes of a tree in memory, level by level as the files of a log hold them. For tests.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "audit/proof.h"
#include "audit/tile.h"

namespace strongroom::audit::testing {

class MemoryHashes final : public HashReader {
 public:
  void append(const Hash& hash, unsigned level = 0) {
    if (levels_.size() == level) levels_.emplace_back();
    levels_[level].push_back(hash);
    if (levels_[level].size() % kTileWidth != 0) return;
    MerkleTree tile;
    for (const Hash& node : std::span(levels_[level]).last(kTileWidth)) tile.append(node);
    append(tile.root(), level + 1);
  }

  [[nodiscard]] std::uint64_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }

  [[nodiscard]] std::span<const Hash> tile(const TileId& id) const {
    return std::span(levels_.at(id.level)).subspan(id.index * kTileWidth, id.width);
  }

  Result<void> read(unsigned level, std::uint64_t begin, std::span<Hash> out) override {
    ++reads_;
    if (level >= levels_.size() || begin + out.size() > levels_[level].size()) {
      return fail({ErrorCode::unavailable, "no such hashes"});
    }
    std::ranges::copy(std::span(levels_[level]).subspan(begin, out.size()), out.begin());
    touched_.push_back({.level = level, .index = begin / kTileWidth});
    return {};
  }

  // Since the last call: the number of reads, and the tiles (as if full) they were within.
  std::size_t take_reads() { return std::exchange(reads_, 0); }
  std::vector<TileId> take_tiles() {
    std::ranges::sort(touched_);
    const auto repeated = std::ranges::unique(touched_);
    touched_.erase(repeated.begin(), repeated.end());
    return std::exchange(touched_, {});
  }

 private:
  std::vector<std::vector<Hash>> levels_;
  std::size_t reads_ = 0;
  std::vector<TileId> touched_;
};

}  // namespace strongroom::audit::testing

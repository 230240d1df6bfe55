// Which subtrees of a log's Merkle tree a proof is made of (RFC 6962 section 2.1). Pure numbers:
// proof.h turns them into hashes, tile.h into the tiles that hold these.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace strongroom::audit {

// The entries [begin, end), which are the leaves of one subtree.
struct Subtree {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  auto operator<=>(const Subtree&) const = default;
};

// PATH(index, D[size]) of section 2.1.1, the leaf's sibling first. REQUIRES: index < size.
[[nodiscard]] std::vector<Subtree> inclusion_path(std::uint64_t index, std::uint64_t size);
// PROOF(old_size, D[size]) of section 2.1.2; empty when one of the trees is empty or both are the
// same. REQUIRES: old_size <= size.
[[nodiscard]] std::vector<Subtree> consistency_path(std::uint64_t old_size, std::uint64_t size);
// The complete subtrees (a power of two of entries) that make up `subtree`, largest first.
[[nodiscard]] std::vector<Subtree> complete_parts(Subtree subtree);

}  // namespace strongroom::audit

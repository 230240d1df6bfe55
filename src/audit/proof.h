// Proofs about a log's Merkle tree: that an entry is in it, and that a tree is the start of a later
// one. Generation as RFC 6962 section 2.1 defines them, verification as RFC 9162 section 2.1 does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audit/merkle.h"
#include "audit/subtree.h"
#include "base/result.h"

namespace strongroom::audit {

// HashReader is where the hashes of a tree lie, level by level as tiles have them: hash i of level
// L is the root of the complete subtree over the entries [i 256^L, (i + 1) 256^L).
class HashReader {
 public:
  virtual ~HashReader() = default;
  // Fills `out` with the hashes of `level` from `begin` on: at most 128, all within one tile. Any
  // error ends what asked for them.
  [[nodiscard]] virtual Result<void> read(unsigned level, std::uint64_t begin,
                                          std::span<Hash> out) = 0;
};

// The root of `subtree`; O(log n) reads, one when it is complete.
[[nodiscard]] Result<Hash> subtree_hash(HashReader& reader, const Subtree& subtree);
// The root of the tree when it had `size` entries. `size` is at most what the reader has, here and
// below.
[[nodiscard]] Result<Hash> tree_hash(HashReader& reader, std::uint64_t size);
// The hashes of inclusion_path(). invalid_argument unless index < size; O(log n) reads.
[[nodiscard]] Result<std::vector<Hash>> inclusion_proof(HashReader& reader, std::uint64_t index,
                                                        std::uint64_t size);
// The hashes of consistency_path(). invalid_argument unless old_size <= size; O(log n) reads.
[[nodiscard]] Result<std::vector<Hash>> consistency_proof(HashReader& reader,
                                                          std::uint64_t old_size,
                                                          std::uint64_t size);

// True when `proof` shows that entry `index` of the tree `head` has the hash `leaf` (RFC 9162
// section 2.1.3.2).
[[nodiscard]] bool verify_inclusion(const Hash& leaf, std::uint64_t index,
                                    std::span<const Hash> proof, const TreeHead& head);
// True when `proof` shows that the tree `head` begins with the tree `old_head` (RFC 9162 section
// 2.1.4.2). Every tree begins with the empty one and with itself, which takes no proof.
[[nodiscard]] bool verify_consistency(const TreeHead& old_head, const TreeHead& head,
                                      std::span<const Hash> proof);

}  // namespace strongroom::audit

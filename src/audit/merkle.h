// Merkle tree hashing of RFC 6962 section 2.1, and the root of a growing tree in O(log n) memory.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "crypto/hash.h"

namespace strongroom::audit {

using Hash = crypto::Sha256Digest;

// SHA-256(0x00 || entry).
[[nodiscard]] Hash leaf_hash(std::span<const std::byte> entry);
// The same for bytes that already begin with the 0x00, as they stand in a journal frame.
[[nodiscard]] Hash leaf_hash_of_input(std::span<const std::byte> leaf_input);
// SHA-256(0x01 || left || right).
[[nodiscard]] Hash node_hash(const Hash& left, const Hash& right);
// The root over complete subtrees that stand side by side, given their roots, largest first;
// SHA-256 of nothing when there are none.
[[nodiscard]] Hash joined_root(std::span<const Hash> complete);

// What a checkpoint says of a tree.
struct TreeHead {
  std::uint64_t size = 0;
  Hash root{};
  bool operator==(const TreeHead&) const = default;
};

// A tree that only grows: the roots of its complete subtrees, largest first, one per set bit of
// size().
class MerkleTree {
 public:
  MerkleTree() = default;
  // The tree of `size` leaves that gave `complete`, one hash per set bit of it.
  MerkleTree(std::uint64_t size, std::vector<Hash> complete)
      : size_(size), complete_(std::move(complete)) {}

  void append(const Hash& leaf) {
    append(leaf, [](unsigned, const Hash&) {});
  }
  // The same; calls gained(level, hash) for each hash that a tile level gains by it (tile.h): level
  // 0 first, which is `leaf`.
  template <class Gained>
  void append(const Hash& leaf, Gained&& gained) {
    constexpr unsigned kLevelHeight = 8;
    Hash node = leaf;
    gained(0U, node);
    for (unsigned height = 1; ((size_ >> (height - 1)) & 1U) != 0; ++height) {
      node = node_hash(complete_.back(), node);
      complete_.pop_back();
      if (height % kLevelHeight == 0) gained(height / kLevelHeight, std::as_const(node));
    }
    complete_.push_back(node);
    ++size_;
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // MTH of the leaves so far; SHA-256 of nothing for the empty tree.
  [[nodiscard]] Hash root() const { return joined_root(complete_); }
  // The roots of its complete subtrees, largest first.
  [[nodiscard]] std::span<const Hash> complete() const noexcept { return complete_; }
  [[nodiscard]] TreeHead head() const { return {size_, root()}; }

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> complete_;
};

}  // namespace strongroom::audit

// Generation and verification of proofs.
#include "audit/proof.h"

#include <array>
#include <bit>

#include "audit/tile.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

Result<Hash> complete_hash(HashReader& reader, const Subtree& complete) {
  const HashRange range = hash_range(complete);
  std::array<Hash, kTileWidth / 2> buffer;
  const auto hashes = std::span(buffer).first(range.count);
  SR_CHECK_OK(reader.read(range.level, range.begin, hashes));
  MerkleTree tree;
  for (const Hash& hash : hashes) tree.append(hash);
  return tree.root();
}

Result<std::vector<Hash>> path_hashes(HashReader& reader, std::span<const Subtree> path) {
  std::vector<Hash> hashes;
  hashes.reserve(path.size());
  for (const Subtree& subtree : path) {
    SR_TRY(const Hash hash, subtree_hash(reader, subtree));
    hashes.push_back(hash);
  }
  return hashes;
}

// The way from a leaf up to the root: RFC 9162's fn and sn.
struct Climb {
  std::uint64_t node = 0;  // number of the node that is reached, within its level
  std::uint64_t last = 0;  // of the last node of that level

  [[nodiscard]] bool takes_left_sibling() const { return (node & 1U) != 0 || node == last; }
  void rise() {
    node >>= 1U;
    last >>= 1U;
  }
  // To the parent of this node and its sibling. The last node of an odd number has none on its own
  // level: it stands for its parent until it has.
  void join() {
    if (node == last) {
      while ((node & 1U) == 0 && node != 0) rise();
    }
    rise();
  }
};

}  // namespace

Result<Hash> subtree_hash(HashReader& reader, const Subtree& subtree) {
  std::vector<Hash> parts;
  for (const Subtree& part : complete_parts(subtree)) {
    SR_TRY(const Hash hash, complete_hash(reader, part));
    parts.push_back(hash);
  }
  return joined_root(parts);
}

Result<Hash> tree_hash(HashReader& reader, std::uint64_t size) {
  return subtree_hash(reader, {0, size});
}

Result<std::vector<Hash>> inclusion_proof(HashReader& reader, std::uint64_t index,
                                          std::uint64_t size) {
  if (index >= size) return fail({ErrorCode::invalid_argument, "no such entry in the tree"});
  return path_hashes(reader, inclusion_path(index, size));
}

Result<std::vector<Hash>> consistency_proof(HashReader& reader, std::uint64_t old_size,
                                            std::uint64_t size) {
  if (old_size > size) return fail({ErrorCode::invalid_argument, "a tree does not shrink"});
  return path_hashes(reader, consistency_path(old_size, size));
}

bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::span<const Hash> proof,
                      const TreeHead& head) {
  if (index >= head.size) return false;
  Climb climb{index, head.size - 1};
  Hash root = leaf;
  for (const Hash& sibling : proof) {
    if (climb.last == 0) return false;
    root = climb.takes_left_sibling() ? node_hash(sibling, root) : node_hash(root, sibling);
    climb.join();
  }
  return climb.last == 0 && root == head.root;
}

bool verify_consistency(const TreeHead& old_head, const TreeHead& head,
                        std::span<const Hash> proof) {
  if (old_head.size == head.size) return proof.empty() && old_head.root == head.root;
  if (old_head.size == 0) return proof.empty() && old_head == MerkleTree().head();
  if (old_head.size > head.size || proof.empty()) return false;
  Climb climb{old_head.size - 1, head.size - 1};
  while ((climb.node & 1U) != 0) climb.rise();
  // A complete old tree is a node of the new one: its root is the first hash, which is not sent.
  const bool complete = std::has_single_bit(old_head.size);
  Hash old_root = complete ? old_head.root : proof.front();
  Hash root = old_root;
  for (const Hash& sibling : proof.subspan(complete ? 0 : 1)) {
    if (climb.last == 0) return false;
    if (climb.takes_left_sibling()) {
      old_root = node_hash(sibling, old_root);
      root = node_hash(sibling, root);
    } else {
      root = node_hash(root, sibling);
    }
    climb.join();
  }
  return climb.last == 0 && old_root == old_head.root && root == head.root;
}

}  // namespace strongroom::audit

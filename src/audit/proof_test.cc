// Proofs: every entry of every tree up to 600, every pair of such trees, sizes around the edges of
// tiles, and what is changed in any bit is refused.
#include "audit/proof.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <map>
#include <memory>

#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "audit/tile.h"
#include "base/encoding.h"

namespace strongroom::audit {
namespace {

using testing::golden_entries;
using testing::hash_of_hex;
using testing::MemoryHashes;

constexpr std::uint64_t kEverySizeMax = 600;

Hash leaf(std::uint64_t index) { return leaf_hash(as_bytes("entry " + std::to_string(index))); }

// A tree of `size` entries and its heads at every size up to that.
struct Log {
  explicit Log(std::uint64_t size) {
    MerkleTree tree;
    heads.push_back(tree.head());
    for (std::uint64_t i = 0; i < size; ++i) {
      leaves.push_back(leaf(i));
      hashes.append(leaves.back());
      tree.append(leaves.back());
      heads.push_back(tree.head());
    }
  }
  std::vector<Hash> leaves;
  std::vector<TreeHead> heads;
  MemoryHashes hashes;
};

// The hashes of a path, each computed once.
class KnownHashes {
 public:
  explicit KnownHashes(HashReader& reader) : reader_(reader) {}
  std::vector<Hash> of(std::span<const Subtree> path) {
    std::vector<Hash> out;
    for (const Subtree& subtree : path) {
      auto found = known_.find(subtree);
      if (found == known_.end()) {
        found = known_.emplace(subtree, subtree_hash(reader_, subtree).value()).first;
      }
      out.push_back(found->second);
    }
    return out;
  }

 private:
  HashReader& reader_;
  std::map<Subtree, Hash> known_;
};

void flip(Hash& hash, std::size_t bit) { hash[bit / 8 % hash.size()] ^= std::byte{1} << bit % 8; }

std::vector<std::string> hex_of(const std::vector<Hash>& hashes) {
  std::vector<std::string> out;
  for (const Hash& hash : hashes) out.push_back(hex(hash));
  return out;
}

TEST(ProofTest, GoldenProofsMatch) {
  MemoryHashes hashes;
  for (const std::string& entry : golden_entries()) hashes.append(leaf_hash(as_bytes(entry)));
  const std::string c2 = "c2a7931a278874e57bf41bda5ee67ee3dec9990cda3660e76754d18800616b25";
  const std::string cb = "cbac0a1c546586d1a60e5abdd6e5611218732e1341e92e7b8593404e0f14aa4b";
  const std::string e6 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
  const auto inclusion = inclusion_proof(hashes, 2, 4);
  const auto consistency = consistency_proof(hashes, 3, 4);
  ASSERT_TRUE(inclusion && consistency);
  EXPECT_EQ(hex_of(*inclusion), (std::vector<std::string>{c2, cb}));
  EXPECT_EQ(hex_of(*consistency), (std::vector<std::string>{e6, c2, cb}));
  const TreeHead three{
      3, hash_of_hex("6015403706ae97dcea776e594364d037bbafc168547028106301c9ef9742b0e6")};
  const TreeHead four{
      4, hash_of_hex("001e05d61f6cb03241a56a397a832737f31566d6ebb5a04bac66b790f8c984d3")};
  EXPECT_TRUE(verify_inclusion(leaf_hash({}), 2, *inclusion, four));
  EXPECT_TRUE(verify_consistency(three, four, *consistency));
}

TEST(ProofTest, EveryEntryOfEveryTreeIsIncluded) {
  Log log(kEverySizeMax);
  KnownHashes known(log.hashes);
  for (std::uint64_t size = 1; size <= kEverySizeMax; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto proof = known.of(inclusion_path(index, size));
      ASSERT_TRUE(verify_inclusion(log.leaves[index], index, proof, log.heads[size]))
          << index << " of " << size;
    }
  }
}

TEST(ProofTest, EveryTreeIsConsistentWithEveryLaterOne) {
  Log log(kEverySizeMax);
  KnownHashes known(log.hashes);
  for (std::uint64_t size = 0; size <= kEverySizeMax; ++size) {
    for (std::uint64_t old_size = 0; old_size <= size; ++old_size) {
      const auto proof = known.of(consistency_path(old_size, size));
      ASSERT_TRUE(verify_consistency(log.heads[old_size], log.heads[size], proof))
          << old_size << " to " << size;
    }
  }
}

TEST(ProofTest, InclusionRefusesAnyFlippedBit) {
  Log log(600);
  for (const std::uint64_t size : {1U, 2U, 3U, 7U, 8U, 255U, 256U, 257U, 600U}) {
    for (const std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
      const auto proof = inclusion_proof(log.hashes, index, size).value();
      for (std::size_t bit = 0; bit < 256 * proof.size(); ++bit) {
        auto changed = proof;
        flip(changed[bit / 256], bit % 256);
        EXPECT_FALSE(verify_inclusion(log.leaves[index], index, changed, log.heads[size]));
      }
      for (std::size_t bit = 0; bit < 256; ++bit) {
        Hash changed = log.leaves[index];
        flip(changed, bit);
        EXPECT_FALSE(verify_inclusion(changed, index, proof, log.heads[size]));
        TreeHead head = log.heads[size];
        flip(head.root, bit);
        EXPECT_FALSE(verify_inclusion(log.leaves[index], index, proof, head));
      }
    }
  }
}

TEST(ProofTest, ConsistencyRefusesAnyFlippedBit) {
  Log log(600);
  for (const auto& [old_size, size] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 2},
                                                            {3, 3},
                                                            {3, 4},
                                                            {6, 8},
                                                            {8, 9},
                                                            {255, 256},
                                                            {256, 600},
                                                            {257, 511},
                                                            {300, 600}}) {
    const auto proof = consistency_proof(log.hashes, old_size, size).value();
    for (std::size_t bit = 0; bit < 256 * proof.size(); ++bit) {
      auto changed = proof;
      flip(changed[bit / 256], bit % 256);
      EXPECT_FALSE(verify_consistency(log.heads[old_size], log.heads[size], changed));
    }
    for (std::size_t bit = 0; bit < 256; ++bit) {
      TreeHead changed = log.heads[old_size];
      flip(changed.root, bit);
      EXPECT_FALSE(verify_consistency(changed, log.heads[size], proof));
      changed = log.heads[size];
      flip(changed.root, bit);
      EXPECT_FALSE(verify_consistency(log.heads[old_size], changed, proof));
    }
  }
}

TEST(ProofTest, InclusionRefusesAnotherIndexAndAnotherLength) {
  Log log(40);
  for (std::uint64_t size = 1; size <= 40; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      auto proof = inclusion_proof(log.hashes, index, size).value();
      for (std::uint64_t other = 0; other <= size; ++other) {
        EXPECT_EQ(verify_inclusion(log.leaves[index], other, proof, log.heads[size]),
                  other == index);
      }
      proof.push_back(log.leaves[0]);
      EXPECT_FALSE(verify_inclusion(log.leaves[index], index, proof, log.heads[size]));
      proof.pop_back();
      if (proof.empty()) continue;
      proof.pop_back();
      EXPECT_FALSE(verify_inclusion(log.leaves[index], index, proof, log.heads[size]));
    }
  }
}

TEST(ProofTest, ConsistencyRefusesAnotherLengthAndShrinking) {
  Log log(40);
  for (std::uint64_t size = 0; size <= 40; ++size) {
    for (std::uint64_t old_size = 0; old_size <= size; ++old_size) {
      auto proof = consistency_proof(log.hashes, old_size, size).value();
      if (old_size < size) {
        EXPECT_FALSE(verify_consistency(log.heads[size], log.heads[old_size], proof));
      }
      proof.push_back(log.leaves[0]);
      EXPECT_FALSE(verify_consistency(log.heads[old_size], log.heads[size], proof));
      proof.pop_back();
      if (proof.empty()) continue;
      proof.pop_back();
      EXPECT_FALSE(verify_consistency(log.heads[old_size], log.heads[size], proof));
    }
  }
}

TEST(ProofTest, TheEmptyTreeHasOneRoot) {
  Log log(3);
  EXPECT_TRUE(verify_consistency(log.heads[0], log.heads[3], {}));
  EXPECT_FALSE(verify_consistency({0, log.leaves[0]}, log.heads[3], {}));
  EXPECT_FALSE(verify_inclusion(log.leaves[0], 0, {}, log.heads[0]));
}

// Heads that nobody signed, made to fit proofs of the wrong length: the hashes are right, and only
// the way up through a tree of that size is not.
TEST(ProofTest, HashesThatFitAreRefusedWhenTheirNumberDoesNot) {
  Log log(4);
  const Hash& extra = log.leaves[0];
  EXPECT_FALSE(verify_inclusion(log.leaves[1], 0, std::vector<Hash>{extra},
                                {1, node_hash(extra, log.leaves[1])}));
  EXPECT_FALSE(verify_inclusion(log.leaves[2], 2, std::vector<Hash>{log.leaves[3]},
                                {4, node_hash(log.leaves[2], log.leaves[3])}));
  auto proof = consistency_proof(log.hashes, 3, 4).value();
  proof.push_back(extra);
  EXPECT_FALSE(verify_consistency({3, node_hash(extra, log.heads[3].root)},
                                  {4, node_hash(extra, log.heads[4].root)}, proof));
  EXPECT_FALSE(verify_consistency({3, log.leaves[2]}, {4, node_hash(log.leaves[2], log.leaves[3])},
                                  std::vector<Hash>{log.leaves[2], log.leaves[3]}));
}

// The number of the last entry of an empty tree would be the largest there is.
TEST(ProofTest, NoTreeShrinksToTheEmptyOne) {
  const Hash hash = leaf(0);
  Hash root = hash;
  for (int height = 0; height < 64; ++height) root = node_hash(root, hash);
  EXPECT_FALSE(verify_consistency({1, hash}, {0, root}, std::vector<Hash>(64, hash)));
}

TEST(ProofTest, GenerationRefusesWhatIsNotInTheTree) {
  Log log(5);
  EXPECT_EQ(inclusion_proof(log.hashes, 5, 5).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(inclusion_proof(log.hashes, 0, 0).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(consistency_proof(log.hashes, 5, 4).error().code(), ErrorCode::invalid_argument);
  // The reader's own errors come through.
  EXPECT_EQ(inclusion_proof(log.hashes, 0, 6).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(consistency_proof(log.hashes, 5, 9).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(tree_hash(log.hashes, 6).error().code(), ErrorCode::unavailable);
}

// The same tiles without regard to their widths.
std::vector<TileId> as_full(std::vector<TileId> tiles) {
  for (TileId& tile : tiles) tile.width = kTileWidth;
  return tiles;
}

class TileEdgeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { log_ = std::make_unique<Log>(70'000); }
  static void TearDownTestSuite() { log_.reset(); }

  // What has just been read is what tiles_of() says, in few reads.
  static void expect_reads(std::span<const Subtree> path, std::uint64_t size) {
    EXPECT_LE(log_->hashes.take_reads(), 2 * static_cast<std::size_t>(std::bit_width(size)));
    const auto tiles = tiles_of(path, size);
    for (const TileId& tile : tiles) EXPECT_TRUE(is_in_tree(tile, size));
    EXPECT_EQ(log_->hashes.take_tiles(), as_full(tiles));
  }

  static constexpr std::array<std::uint64_t, 8> kSizes{255,    256,    257,    511,
                                                       65'535, 65'536, 65'537, 70'000};
  static inline std::unique_ptr<Log> log_;
};

TEST_F(TileEdgeTest, RootsAreThoseOfTheGrowingTree) {
  EXPECT_EQ(base64(log_->heads[70'000].root), "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ao=");
  for (const std::uint64_t size : kSizes) {
    EXPECT_EQ(tree_hash(log_->hashes, size).value(), log_->heads[size].root) << size;
  }
}

TEST_F(TileEdgeTest, EntriesAreIncluded) {
  for (const std::uint64_t size : kSizes) {
    for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{253},
                                      std::uint64_t{254}, size / 2, size - 2, size - 1}) {
      log_->hashes.take_reads();
      log_->hashes.take_tiles();
      const auto proof = inclusion_proof(log_->hashes, index, size).value();
      expect_reads(inclusion_path(index, size), size);
      EXPECT_TRUE(verify_inclusion(log_->leaves[index], index, proof, log_->heads[size]));
    }
  }
}

TEST_F(TileEdgeTest, TreesAreConsistent) {
  for (const std::uint64_t size : kSizes) {
    for (const std::uint64_t old_size : kSizes) {
      if (old_size > size) continue;
      log_->hashes.take_reads();
      log_->hashes.take_tiles();
      const auto proof = consistency_proof(log_->hashes, old_size, size).value();
      expect_reads(consistency_path(old_size, size), size);
      EXPECT_TRUE(verify_consistency(log_->heads[old_size], log_->heads[size], proof));
    }
  }
}

}  // namespace
}  // namespace strongroom::audit

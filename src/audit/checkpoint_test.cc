// Merkle hashing, signed notes and checkpoints against the golden vectors, which were checked with
// golang.org/x/mod v0.12.0 (sumdb/note and sumdb/tlog).
#include "audit/checkpoint.h"

#include <gtest/gtest.h>

#include "audit/testing/golden.h"
#include "base/encoding.h"

namespace strongroom::audit {
namespace {

using testing::golden_entries;
using testing::golden_signer;
using testing::kCheckpoint;
using testing::kOrigin;
using testing::kVkey;
using testing::kWitnessLine;

MerkleTree golden_tree(std::size_t size) {
  MerkleTree tree;
  for (std::size_t i = 0; i < size; ++i) tree.append(leaf_hash(as_bytes(golden_entries()[i])));
  return tree;
}

// RFC 6962 section 2.1 as it is written: recursive, over all leaves.
Hash mth(std::span<const Hash> leaves) {
  if (leaves.empty()) return crypto::sha256({});
  if (leaves.size() == 1) return leaves[0];
  std::size_t k = 1;
  while (2 * k < leaves.size()) k *= 2;
  return node_hash(mth(leaves.first(k)), mth(leaves.subspan(k)));
}

TEST(MerkleTest, LeavesAndRootsMatchTheGoldenVectors) {
  const std::array<std::string_view, 4> leaves{
      "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c",
      "4075b6a68556aaa03188190d906199743692269dd8556b034c418f194a70e188",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "c2a7931a278874e57bf41bda5ee67ee3dec9990cda3660e76754d18800616b25"};
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(hex(leaf_hash(as_bytes(golden_entries()[i]))), leaves[i]);
    EXPECT_EQ(hex(leaf_hash_of_input(as_bytes(std::string(1, '\0') + golden_entries()[i]))),
              leaves[i]);
  }
  EXPECT_EQ(hex(golden_tree(4).root()),
            "001e05d61f6cb03241a56a397a832737f31566d6ebb5a04bac66b790f8c984d3");
  EXPECT_EQ(hex(golden_tree(3).root()),
            "6015403706ae97dcea776e594364d037bbafc168547028106301c9ef9742b0e6");
  EXPECT_EQ(hex(MerkleTree().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(MerkleTest, IncrementalRootEqualsTheDefinitionAtEverySize) {
  std::vector<Hash> leaves;
  MerkleTree tree;
  for (unsigned i = 0; i < 600; ++i) {
    leaves.push_back(leaf_hash(std::as_bytes(std::span(&i, 1))));
    tree.append(leaves.back());
    ASSERT_EQ(tree.root(), mth(leaves)) << i;
  }
}

TEST(NoteKeyTest, ReadsAndWritesTheGoldenKey) {
  const auto key = NoteKey::parse(kVkey);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->name, kOrigin);
  EXPECT_EQ(key->id(), 0x99f33cb1U);
  EXPECT_EQ(key->public_key, golden_signer().public_key());
  EXPECT_EQ(key->text(), kVkey);
}

TEST(NoteKeyTest, RefusesAnythingElse) {
  for (const std::string_view text :
       {"", "name", "+99f33cb1+AQ==", "vault.example/audit+99f33cb1",
        "vault.example/audit+99f33cb2+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",  // id
        "vault.example/audit+99F33CB1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",  // case
        "vault.example/audi+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",   // name
        "vault.example/audit+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG",
        "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"}) {  // type
    EXPECT_FALSE(NoteKey::parse(text)) << text;
  }
}

TEST(NoteTest, ParseRefusesBrokenForms) {
  const std::string line = "\xE2\x80\x94 k AAAAAQI=\n";
  ASSERT_TRUE(parse_note("t\n\n" + line));
  for (const std::string& bytes :
       {std::string(), std::string("t\n"), "t\n" + line, std::string("t\n\n"),
        "t\n\n" + line + "x\n", "t\n\n" + line.substr(0, line.size() - 1), "t\r\n\n" + line,
        std::string("t\n\n\xE2\x80\x94 k+ AAAAAQI=\n"),
        std::string("t\n\n\xE2\x80\x94 k AAAAAQ==\n"), std::string("t\n\n- k AAAAAQI=\n")}) {
    EXPECT_FALSE(parse_note(bytes)) << bytes;
  }
  EXPECT_EQ(parse_note(std::string(kNoteBytesMax + 1, 'x')).error().code(), ErrorCode::too_large);
  std::string many = "t\n\n";
  for (std::size_t i = 0; i <= kNoteSignaturesMax; ++i) many += line;
  EXPECT_FALSE(parse_note(many));
}

TEST(NoteTest, TextMayHoldEmptyLines) {
  const std::string note = sign_note("a\n\nb\n", "k", golden_signer());
  const auto parsed = parse_note(note);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text, "a\n\nb\n");
}

TEST(CheckpointTest, SignsTheGoldenCheckpointByteForByte) {
  const MerkleTree tree = golden_tree(4);
  EXPECT_EQ(sign_checkpoint({std::string(kOrigin), tree.size(), tree.root()}, golden_signer()),
            kCheckpoint);
}

TEST(CheckpointTest, OpensTheGoldenCheckpointAlsoWithAWitnessLine) {
  const auto verifier = NoteVerifier::create(*NoteKey::parse(kVkey));
  ASSERT_TRUE(verifier);
  for (const std::string& note :
       {std::string(kCheckpoint), std::string(kCheckpoint) + std::string(kWitnessLine)}) {
    const auto checkpoint = open_checkpoint(note, *verifier);
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(*checkpoint, (Checkpoint{std::string(kOrigin), 4, golden_tree(4).root()}));
  }
}

TEST(CheckpointTest, OpenRefusesEveryFlippedBit) {
  const auto verifier = NoteVerifier::create(*NoteKey::parse(kVkey));
  for (std::size_t i = 0; i < kCheckpoint.size() * 8; ++i) {
    std::string note(kCheckpoint);
    note[i / 8] = static_cast<char>(note[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(open_checkpoint(note, *verifier)) << i;
  }
}

TEST(CheckpointTest, OpenRefusesAnotherKeyAndAnotherOrigin) {
  const auto verifier = NoteVerifier::create(*NoteKey::parse(kVkey));
  const auto signer = golden_signer();
  crypto::SystemRandom random;
  const auto stranger = crypto::Ed25519Signer::generate(random);
  const Checkpoint checkpoint{std::string(kOrigin), 4, golden_tree(4).root()};
  EXPECT_EQ(open_checkpoint(sign_checkpoint(checkpoint, *stranger), *verifier).error().code(),
            ErrorCode::permission_denied);
  Checkpoint other = checkpoint;
  other.origin = "vault.example/other";
  EXPECT_EQ(
      open_checkpoint(sign_note(checkpoint_text(other), kOrigin, signer), *verifier).error().code(),
      ErrorCode::invalid_argument);
}

TEST(CheckpointTest, ParseRefusesOtherForms) {
  const std::string root = "AB4F1h9ssDJBpWo5eoMnN/MVZtbrtaBLrGa3kPjJhNM=\n";
  EXPECT_TRUE(parse_checkpoint_text("o\n0\n" + root));
  EXPECT_TRUE(parse_checkpoint_text("o\n4\n" + root + "extension\n"));
  for (const std::string& text :
       {std::string(), "\n4\n" + root, "o\n04\n" + root, "o\n-4\n" + root, "o\n\n" + root,
        "o\n4\n" + root.substr(0, root.size() - 1), "o\n4\n" + root + "\n", std::string("o\n4\n"),
        std::string("o\n4\nAA==\n"), "o\n99999999999999999999\n" + root, "o\n4 \n" + root}) {
    EXPECT_FALSE(parse_checkpoint_text(text)) << text;
  }
}

}  // namespace
}  // namespace strongroom::audit

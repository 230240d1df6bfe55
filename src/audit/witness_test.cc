// The witness's judgment: one row per answer of the protocol, in the order in which rules win, and
// the request's form.
#include "audit/witness.h"

#include <gtest/gtest.h>

#include "audit/lines.h"
#include "audit/proof.h"
#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

using testing::golden_signer;
using testing::kCheckpoint;
using testing::kOrigin;
using testing::kVkey;
using testing::kWitnessLine;
using testing::witness_signer;

class WitnessTest : public ::testing::Test {
 protected:
  WitnessTest() {
    MerkleTree tree;
    heads_.push_back(tree.head());
    for (int i = 0; i < 10; ++i) {
      const Hash leaf = leaf_hash(as_bytes("entry " + std::to_string(i)));
      hashes_.append(leaf);
      tree.append(leaf);
      heads_.push_back(tree.head());
    }
    log_.keys.push_back(NoteVerifier::create(NoteKey::parse(kVkey).value()).value());
  }

  std::vector<Hash> proof(std::uint64_t old_size, std::uint64_t size) {
    return consistency_proof(hashes_, old_size, size).value();
  }
  static std::string note(const TreeHead& head) {
    return sign_checkpoint({std::string(kOrigin), head.size, head.root}, golden_signer());
  }
  static WitnessStatus status(std::uint64_t old_size, const std::vector<Hash>& proof,
                              const std::string& note, const WitnessedLog* log) {
    const auto request = parse_add_checkpoint(add_checkpoint_body(old_size, proof, note));
    return request ? judge(*request, log) : WitnessStatus::malformed;
  }

  testing::MemoryHashes hashes_;
  std::vector<TreeHead> heads_;
  WitnessedLog log_;
};

TEST_F(WitnessTest, CosignsAFirstCheckpointOfAnySize) {
  for (const std::uint64_t size : {0U, 1U, 7U}) {
    EXPECT_EQ(status(0, {}, note(heads_[size]), &log_), WitnessStatus::cosigned) << size;
  }
}

TEST_F(WitnessTest, CosignsEveryContinuation) {
  for (std::uint64_t old_size = 0; old_size <= 10; ++old_size) {
    log_.last_cosigned = heads_[old_size];
    for (std::uint64_t size = old_size; size <= 10; ++size) {
      EXPECT_EQ(status(old_size, proof(old_size, size), note(heads_[size]), &log_),
                WitnessStatus::cosigned)
          << old_size << " to " << size;
    }
  }
}

TEST_F(WitnessTest, DoesNotKnowOtherLogs) {
  EXPECT_EQ(status(0, {}, note(heads_[7]), nullptr), WitnessStatus::unknown_log);
}

TEST_F(WitnessTest, RefusesWhatNoTrustedKeySigned) {
  const std::string stranger =
      sign_checkpoint({std::string(kOrigin), 7, heads_[7].root}, witness_signer());
  EXPECT_EQ(status(0, {}, stranger, &log_), WitnessStatus::not_signed);
  log_.keys.clear();
  EXPECT_EQ(status(0, {}, note(heads_[7]), &log_), WitnessStatus::not_signed);
}

TEST_F(WitnessTest, OneBadSignatureOfATrustedKeySpoilsTheOthers) {
  const NoteKey second{"vault.example/audit/2", witness_signer().public_key()};
  log_.keys.push_back(NoteVerifier::create(second).value());
  const Note other = parse_note(note(heads_[6])).value();
  for (const NoteVerifier& key : log_.keys) {
    const std::string bad = signature_line(key.key(), other.signatures[0].signature);
    EXPECT_EQ(status(0, {}, note(heads_[7]) + bad, &log_), WitnessStatus::not_signed);
  }
}

TEST_F(WitnessTest, OneOfSeveralTrustedKeysIsEnoughAndOthersSignaturesAreIgnored) {
  const NoteKey second{"vault.example/audit/2", witness_signer().public_key()};
  log_.keys.push_back(NoteVerifier::create(second).value());
  EXPECT_EQ(status(0, {}, note(heads_[7]) + std::string(kWitnessLine), &log_),
            WitnessStatus::cosigned);
  const std::string by_second =
      sign_note(parse_note(note(heads_[7])).value().text, second.name, witness_signer());
  EXPECT_EQ(status(0, {}, by_second, &log_), WitnessStatus::cosigned);
}

TEST_F(WitnessTest, RefusesAnOldSizeAboveTheCheckpoints) {
  log_.last_cosigned = heads_[8];
  EXPECT_EQ(status(8, {}, note(heads_[7]), &log_), WitnessStatus::malformed);
  EXPECT_EQ(status(9, {}, note(heads_[7]), &log_), WitnessStatus::malformed);
  // A signature is looked at first.
  log_.keys.clear();
  EXPECT_EQ(status(9, {}, note(heads_[7]), &log_), WitnessStatus::not_signed);
}

TEST_F(WitnessTest, ConflictsUnlessTheOldSizeIsTheLastCosigned) {
  log_.last_cosigned = heads_[5];
  EXPECT_EQ(status(0, {}, note(heads_[7]), &log_), WitnessStatus::not_the_last);
  EXPECT_EQ(status(4, proof(4, 7), note(heads_[7]), &log_), WitnessStatus::not_the_last);
  EXPECT_EQ(status(6, proof(6, 7), note(heads_[7]), &log_), WitnessStatus::not_the_last);
  // A log that was rolled back.
  EXPECT_EQ(status(4, {}, note(heads_[4]), &log_), WitnessStatus::not_the_last);
}

TEST_F(WitnessTest, RefusesInconsistentTrees) {
  const TreeHead other{7, heads_[6].root};
  EXPECT_EQ(status(0, {}, note({0, heads_[1].root}), &log_), WitnessStatus::inconsistent);
  EXPECT_EQ(status(0, {heads_[1].root}, note(heads_[7]), &log_), WitnessStatus::inconsistent);
  log_.last_cosigned = heads_[5];
  EXPECT_EQ(status(5, {}, note(heads_[7]), &log_), WitnessStatus::inconsistent);
  EXPECT_EQ(status(5, proof(5, 8), note(heads_[7]), &log_), WitnessStatus::inconsistent);
  EXPECT_EQ(status(5, proof(5, 7), note(other), &log_), WitnessStatus::inconsistent);
  log_.last_cosigned = heads_[7];
  EXPECT_EQ(status(7, {}, note(other), &log_), WitnessStatus::inconsistent);
  EXPECT_EQ(status(7, {heads_[1].root}, note(heads_[7]), &log_), WitnessStatus::inconsistent);
}

TEST_F(WitnessTest, RequestsAreReadAsTheyAreWritten) {
  const auto path = proof(5, 7);
  const std::string body = add_checkpoint_body(5, path, note(heads_[7]));
  const auto request = parse_add_checkpoint(body);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->old_size, 5U);
  EXPECT_EQ(request->proof, path);
  EXPECT_EQ(request->checkpoint.head(), heads_[7]);
  EXPECT_EQ(body.substr(0, 6), "old 5\n");
}

TEST_F(WitnessTest, RequestsOfOtherFormsAreMalformed) {
  const std::string hash = "y6wKHFRlhtGmDlq91uVhEhhzLhNB6S57hZNATg8Uqks=\n";
  const std::string signed_note(kCheckpoint);
  ASSERT_TRUE(parse_add_checkpoint("old 0\n\n" + signed_note));
  ASSERT_TRUE(parse_add_checkpoint("old 3\n" + hash + "\n" + signed_note));
  const std::vector<std::string> heads{"",
                                       "\n",
                                       "old\n\n",
                                       "old \n\n",
                                       "old 03\n\n",
                                       "old -3\n\n",
                                       "old +3\n\n",
                                       "old 3 \n\n",
                                       "old  3\n\n",
                                       "Old 3\n\n",
                                       "old 3\r\n\n",
                                       "old 18446744073709551616\n\n",
                                       "old 3\n",
                                       "old 3\n\n\n",
                                       "old 3\n" + hash,
                                       "old 3\nAA==\n\n",
                                       "old 3\n" + hash.substr(0, 43) + "\n\n",
                                       "old 3\n " + hash + "\n",
                                       "size 4\nold 3\n\n"};
  for (const std::string& head : heads) {
    EXPECT_FALSE(parse_add_checkpoint(head + signed_note)) << head;
  }
  EXPECT_FALSE(parse_add_checkpoint("old 3\n\n" + signed_note.substr(0, signed_note.size() - 1)));
  EXPECT_FALSE(parse_add_checkpoint("old 3\n\nno note"));
  EXPECT_FALSE(
      parse_add_checkpoint("old 3\n\n" + sign_note("no checkpoint\n", kOrigin, golden_signer())));
  EXPECT_TRUE(parse_add_checkpoint(
      add_checkpoint_body(3, std::vector<Hash>(kProofHashesMax), signed_note)));
  EXPECT_FALSE(parse_add_checkpoint(
      add_checkpoint_body(3, std::vector<Hash>(kProofHashesMax + 1), signed_note)));
}

}  // namespace
}  // namespace strongroom::audit

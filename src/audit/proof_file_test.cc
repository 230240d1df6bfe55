// Proof files: written, read back, verified, and refused in every other form.
#include "audit/proof_file.h"

#include <gtest/gtest.h>

#include "audit/lines.h"
#include "audit/proof.h"
#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

using testing::golden_entries;
using testing::golden_signer;
using testing::kCheckpoint;
using testing::kVkey;
using testing::kWitnessLine;
using testing::MemoryHashes;

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1\n";
constexpr std::string_view kProof =
    "wqeTGieIdOV79BvaXuZ+497JmQzaNmDnZ1TRiABhayU=\n"
    "y6wKHFRlhtGmDlq91uVhEhhzLhNB6S57hZNATg8Uqks=\n";

// Header, the lines between it and the proof, proof, checkpoint.
std::string text_of(std::string_view lines, std::string_view proof = kProof) {
  std::string text(kHeader);
  return text.append(lines).append(proof).append("\n").append(kCheckpoint).append(kWitnessLine);
}

NoteVerifier log_key() { return NoteVerifier::create(NoteKey::parse(kVkey).value()).value(); }

ProofFile golden_file() {
  MemoryHashes hashes;
  for (const std::string& entry : golden_entries()) hashes.append(leaf_hash(as_bytes(entry)));
  return {.index = 2,
          .proof = inclusion_proof(hashes, 2, 4).value(),
          .checkpoint = std::string(kCheckpoint).append(kWitnessLine)};
}

TEST(ProofFileTest, WritesTheGoldenFileByteForByte) {
  ProofFile file = golden_file();
  EXPECT_EQ(proof_file_text(file), text_of("index 2\n"));
  append_bytes(file.extra, as_bytes("hint"));
  EXPECT_EQ(proof_file_text(file), text_of("extra aGludA==\nindex 2\n"));
}

TEST(ProofFileTest, ReadsWhatItWrites) {
  ProofFile file = golden_file();
  EXPECT_EQ(parse_proof_file(proof_file_text(file)).value(), file);
  append_bytes(file.extra, as_bytes("hint"));
  file.index = ~0UL;
  file.proof.resize(kProofHashesMax);
  EXPECT_EQ(parse_proof_file(proof_file_text(file)).value(), file);
  file.proof.clear();
  EXPECT_EQ(parse_proof_file(proof_file_text(file)).value(), file);
}

TEST(ProofFileTest, ParseRefusesEveryOtherForm) {
  ASSERT_TRUE(parse_proof_file(text_of("index 2\n")));
  for (const std::string_view lines : {"",
                                       "index\n",
                                       "index \n",
                                       "index 02\n",
                                       "index -2\n",
                                       "index +2\n",
                                       "index 2 \n",
                                       " index 2\n",
                                       "Index 2\n",
                                       "index 2\r\n",
                                       "index 18446744073709551616\n",
                                       "index 0x2\n",
                                       "extra aGludA==\n",
                                       "extra\nindex 2\n",
                                       "extra \nindex 2\n",
                                       "extra aGludA\nindex 2\n",
                                       "extra aGludB==\nindex 2\n",
                                       "extra aGludA==\nextra aGludA==\nindex 2\n",
                                       "index 2\nextra aGludA==\n",
                                       "index 2\nindex 2\n",
                                       "index 2\n\n",
                                       "\nindex 2\n",
                                       "size 4\nindex 2\n"}) {
    EXPECT_FALSE(parse_proof_file(text_of(lines))) << lines;
  }
  for (const std::string_view proof : {"AA==\n", "wqeTGieIdOV79BvaXuZ+497JmQzaNmDnZ1TRiABhayU\n",
                                       "wqeTGieIdOV79BvaXuZ-497JmQzaNmDnZ1TRiABhayU=\n",
                                       " wqeTGieIdOV79BvaXuZ+497JmQzaNmDnZ1TRiABhayU=\n",
                                       "wqeTGieIdOV79BvaXuZ+497JmQzaNmDnZ1TRiABhayV=\n",
                                       "wqeTGieIdOV79BvaXuZ+497JmQzaNmDnZ1TRiABhayU=", "x\n"}) {
    EXPECT_FALSE(parse_proof_file(text_of("index 2\n", proof))) << proof;
  }
  ProofFile long_proof = golden_file();
  long_proof.proof.resize(kProofHashesMax + 1);
  EXPECT_FALSE(parse_proof_file(proof_file_text(long_proof)));
}

TEST(ProofFileTest, ParseRefusesOtherHeadersAndCheckpoints) {
  const std::string good = text_of("index 2\n");
  EXPECT_FALSE(parse_proof_file(good.substr(kHeader.size())));
  EXPECT_FALSE(parse_proof_file("c2sp.org/tlog-proof@v2\n" + good.substr(kHeader.size())));
  for (std::size_t size = 0; size < good.size(); ++size) {
    // The one cut that leaves a whole file takes the witness's line.
    const bool whole = size == good.size() - kWitnessLine.size();
    EXPECT_EQ(parse_proof_file(good.substr(0, size)).has_value(), whole) << size;
  }
  EXPECT_FALSE(parse_proof_file(good + "x"));
  EXPECT_FALSE(parse_proof_file(good + "\n"));
  ProofFile file = golden_file();
  file.checkpoint = sign_note("no checkpoint\n", testing::kOrigin, golden_signer());
  EXPECT_FALSE(parse_proof_file(proof_file_text(file)));
  file = golden_file();
  file.extra.resize(kProofFileBytesMax);
  EXPECT_EQ(parse_proof_file(proof_file_text(file)).error().code(), ErrorCode::too_large);
}

TEST(ProofFileTest, VerifiesTheEntryAndNoOther) {
  const ProofFile file = golden_file();
  const auto checkpoint = verify_proof_file(file, as_bytes(golden_entries()[2]), log_key());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->size, 4U);
  for (const std::size_t other : {0U, 1U, 3U}) {
    EXPECT_EQ(verify_proof_file(file, as_bytes(golden_entries()[other]), log_key()).error().code(),
              ErrorCode::permission_denied);
  }
}

TEST(ProofFileTest, VerificationIgnoresExtra) {
  ProofFile file = golden_file();
  append_bytes(file.extra, as_bytes("anything"));
  EXPECT_TRUE(verify_proof_file(file, as_bytes(golden_entries()[2]), log_key()));
}

TEST(ProofFileTest, VerificationRefusesWhatIsChanged) {
  const auto refused = [](const ProofFile& file) {
    return !verify_proof_file(file, as_bytes(golden_entries()[2]), log_key());
  };
  for (const std::uint64_t index : {0U, 1U, 3U, 4U}) {
    ProofFile file = golden_file();
    file.index = index;
    EXPECT_TRUE(refused(file)) << index;
  }
  for (std::size_t bit = 0; bit < 2 * 256; ++bit) {
    ProofFile file = golden_file();
    file.proof[bit / 256][bit / 8 % 32] ^= std::byte{1} << bit % 8;
    EXPECT_TRUE(refused(file)) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * kCheckpoint.size(); ++bit) {
    ProofFile file = golden_file();
    char& c = file.checkpoint[bit / 8];
    c = static_cast<char>(c ^ (1 << bit % 8));
    EXPECT_TRUE(refused(file)) << bit;
  }
}

TEST(ProofFileTest, VerificationRefusesAnotherKey) {
  ProofFile file = golden_file();
  const auto stranger = testing::witness_signer();
  const NoteKey key{std::string(testing::kOrigin), stranger.public_key()};
  EXPECT_EQ(
      verify_proof_file(file, as_bytes(golden_entries()[2]), NoteVerifier::create(key).value())
          .error()
          .code(),
      ErrorCode::permission_denied);
}

}  // namespace
}  // namespace strongroom::audit

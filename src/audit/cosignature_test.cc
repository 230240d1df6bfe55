// Cosignatures against the golden vector, and every way in which one must not count.
#include "audit/cosignature.h"

#include <gtest/gtest.h>

#include "audit/checkpoint.h"
#include "audit/testing/golden.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

using testing::golden_signer;
using testing::kCheckpoint;
using testing::kVkey;
using testing::kWitness;
using testing::kWitnessLine;
using testing::kWitnessTimeS;
using testing::kWitnessVkey;
using testing::witness_signer;

NoteKey witness_key() { return NoteKey::parse(kWitnessVkey, NoteKeyType::cosignature).value(); }
CosignatureVerifier verifier() { return CosignatureVerifier::create(witness_key()).value(); }
Note note_of(const std::string& bytes) { return parse_note(bytes).value(); }
std::string text() { return note_of(std::string(kCheckpoint)).text; }

TEST(CosignatureTest, KeyIsReadAndWritten) {
  const NoteKey key = witness_key();
  EXPECT_EQ(key.name, kWitness);
  EXPECT_EQ(key.id(), 0x20324abeU);
  EXPECT_EQ(key.public_key, witness_signer().public_key());
  EXPECT_EQ(key.text(), kWitnessVkey);
}

TEST(CosignatureTest, KeysOfTheTwoTypesAreNotTakenForEachOther) {
  EXPECT_FALSE(NoteKey::parse(kWitnessVkey));
  EXPECT_FALSE(NoteKey::parse(kVkey, NoteKeyType::cosignature));
  EXPECT_FALSE(NoteVerifier::create(witness_key()));
  EXPECT_FALSE(CosignatureVerifier::create(NoteKey::parse(kVkey).value()));
}

TEST(CosignatureTest, SignsTheGoldenLineByteForByte) {
  EXPECT_EQ(cosign(text(), kWitnessTimeS, kWitness, witness_signer()), kWitnessLine);
}

TEST(CosignatureTest, VerifiesTheGoldenLine) {
  const auto time_s = verifier().newest_s(note_of(std::string(kCheckpoint).append(kWitnessLine)));
  ASSERT_TRUE(time_s);
  EXPECT_EQ(*time_s, kWitnessTimeS);
}

TEST(CosignatureTest, CoversExtensionLines) {
  const std::string extended = text() + "extension\n";
  const std::string line = cosign(extended, kWitnessTimeS, kWitness, witness_signer());
  EXPECT_EQ(verifier().newest_s(note_of(extended + "\n" + line)).value(), kWitnessTimeS);
  EXPECT_EQ(verifier().newest_s(note_of(text() + "\n" + line)).error().code(),
            ErrorCode::permission_denied);
}

TEST(CosignatureTest, NewestOfSeveralCounts) {
  std::string note(kCheckpoint);
  for (const std::int64_t time_s : {5, 9, 7}) {
    note += cosign(text(), time_s, kWitness, witness_signer());
  }
  EXPECT_EQ(verifier().newest_s(note_of(note)).value(), 9);
}

TEST(CosignatureTest, OthersDoNotCount) {
  const std::string other_name = cosign(text(), 5, "witness.example/w2", witness_signer());
  const std::string other_key = cosign(text(), 5, kWitness, golden_signer());
  for (const std::string& line : {std::string(), other_name, other_key}) {
    const auto time_s = verifier().newest_s(note_of(std::string(kCheckpoint) + line));
    ASSERT_TRUE(time_s);
    EXPECT_FALSE(time_s->has_value()) << line;
  }
  // A key id is 32 bits, which a name can be sought for.
  Note note = note_of(std::string(kCheckpoint).append(kWitnessLine));
  note.signatures[1].name = "witness.example/w2";
  EXPECT_FALSE(verifier().newest_s(note).value().has_value());
  // Nor does a plain signature by the same key, under the other type's id.
  const std::string plain = sign_note(text(), kWitness, witness_signer());
  EXPECT_FALSE(verifier().newest_s(note_of(plain)).value().has_value());
}

TEST(CosignatureTest, AnyFlippedBitOfTimeAndSignatureIsRefused) {
  const Note good = note_of(std::string(kCheckpoint).append(kWitnessLine));
  ASSERT_EQ(good.signatures.at(1).signature.size(), 72U);
  for (std::size_t bit = 0; bit < 72 * 8; ++bit) {
    Note note = good;
    note.signatures[1].signature[bit / 8] ^= std::byte{1} << bit % 8;
    EXPECT_EQ(verifier().newest_s(note).error().code(), ErrorCode::permission_denied) << bit;
  }
}

TEST(CosignatureTest, OtherLengthsAreRefused) {
  const Note good = note_of(std::string(kCheckpoint).append(kWitnessLine));
  for (const std::size_t size : {1U, 7U, 8U, 9U, 71U, 73U}) {
    Note note = good;
    note.signatures[1].signature.resize(size);
    EXPECT_EQ(verifier().newest_s(note).error().code(), ErrorCode::permission_denied) << size;
  }
}

TEST(CosignatureTest, TimesAbove63BitsAreRefusedThoughSigned) {
  const std::uint64_t time = std::uint64_t{1} << 63U;
  const std::string message = "cosignature/v1\ntime " + std::to_string(time) + "\n" + text();
  std::vector<std::byte> signature;
  append_u64be(signature, time);
  append_bytes(signature, witness_signer().sign(as_bytes(message)));
  const Note note = note_of(std::string(kCheckpoint) + signature_line(witness_key(), signature));
  EXPECT_FALSE(verifier().newest_s(note));
}

}  // namespace
}  // namespace strongroom::audit

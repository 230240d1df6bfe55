// The golden log of four entries, its keys and signatures, which were checked with
// golang.org/x/mod v0.12.0 (sumdb/note and sumdb/tlog). For tests.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/signer.h"

namespace strongroom::audit::testing {

inline constexpr std::string_view kOrigin = "vault.example/audit";
inline constexpr std::string_view kVkey =
    "vault.example/audit+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
inline constexpr std::string_view kWitness = "witness.example/w1";
inline constexpr std::string_view kWitnessVkey =
    "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
inline constexpr std::string_view kCheckpoint =
    "vault.example/audit\n4\nAB4F1h9ssDJBpWo5eoMnN/MVZtbrtaBLrGa3kPjJhNM=\n\n"
    "\xE2\x80\x94 vault.example/audit "
    "mfM8sUF7e9tQBQi4GHCcTOLMRnB487/OKavxcWu7rcl9xYGe8nPeJ2ms4iJooDToEAbB+11fPkE6dX69q/"
    "8+njLDMg8=\n";
// The witness's cosignature of that checkpoint, at this time.
inline constexpr std::int64_t kWitnessTimeS = 1'700'000'000;
inline constexpr std::string_view kWitnessLine =
    "\xE2\x80\x94 witness.example/w1 "
    "IDJKvgAAAABlU/"
    "EA0pCmKp3VlZeIiyTOVxE5W1c+Eee7NzFZS+itA5CeNuMUIl01qkZVYC0mu9FUsmGwujxAmbX4E93qmUB"
    "IfFJsBg==\n";

// The key whose seed counts up from `first`: 0x00 is the log's, 0x20 the witness's.
inline crypto::Ed25519Signer signer_of(unsigned first) {
  std::array<std::byte, 32> seed;
  for (unsigned i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::byte>(first + i);
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}
inline crypto::Ed25519Signer golden_signer() { return signer_of(0x00); }
inline crypto::Ed25519Signer witness_signer() { return signer_of(0x20); }

inline const std::vector<std::string>& golden_entries() {
  static const std::vector<std::string> entries{"a", "bc", "", R"({"event":"token.create"})"};
  return entries;
}

inline Hash hash_of_hex(std::string_view text) {
  Hash hash{};
  SR_CHECK(parse_hex(text, hash));
  return hash;
}

}  // namespace strongroom::audit::testing

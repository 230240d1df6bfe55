// Likeness: what a merchant's cards with the same first and last digits have in common, as a number
// that tells nobody else which digits these are. Whoever knows a token's first and last digits
// could send every number between them until one is called a duplicate; each wrong one is a new
// card that is like all the others. So CardStore counts new cards by likeness, and above a limit
// that no shop reaches nothing is answered any more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "base/secret.h"
#include "cde/card/pan.h"
#include "cde/keys/key_ring.h"

namespace strongroom::cde {

using Likeness = std::int64_t;

// Belongs to the Loop of its key ring, which outlives it. Every vaultd with the same HSM keys gets
// the same numbers.
class Likenesses final {
 public:
  explicit Likenesses(KeyRing& keys) : keys_(keys) {}

  // The blind index of the card's first and last digits at `merchant`, cut to 64 bits. The HSM is
  // asked once per merchant, for a key that is good for this alone. Errors are the key ring's, and
  // exhausted. What is borrowed stays valid until the task ends.
  [[nodiscard]] async::Task<Result<Likeness>> of(const std::string& merchant, const Pan& pan);

 private:
  async::Task<Result<void>> learn(const std::string& merchant);

  KeyRing& keys_;
  std::map<std::string, SecretBytes, std::less<>> merchant_keys_;
};

}  // namespace strongroom::cde

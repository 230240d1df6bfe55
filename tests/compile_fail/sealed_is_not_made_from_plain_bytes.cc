// EXPECT: '.*Sealed::Sealed\(std::vector<std::byte>\)' is private within
// Storage takes Sealed only; what was not sealed must not look as if it were.
#include <utility>
#include <vector>

#include "crypto/aead.h"

using strongroom::Result;
using strongroom::crypto::Aead;
using strongroom::crypto::Random;
using strongroom::crypto::Sealed;

Result<Sealed> seals(const Aead& aead, Random& random, const std::vector<std::byte>& plain) {
  return aead.seal(random, plain, {});
}

#ifdef WRONG
Sealed wraps(std::vector<std::byte> plain) { return Sealed(std::move(plain)); }
#endif

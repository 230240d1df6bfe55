// EXPECT: (no matching function for call to|cannot convert|could not convert)
// PCI DSS 3.3.1: a verification code is never stored, not even encrypted. No AEAD takes one.
#include "cde/card/cvc.h"
#include "cde/card/pan.h"
#include "crypto/aead.h"

using strongroom::Result;
using strongroom::cde::Cvc;
using strongroom::crypto::Aead;
using strongroom::crypto::Random;
using strongroom::crypto::Sealed;

Result<Sealed> seals(const Aead& aead, Random& random, const strongroom::SecretBytes& plain) {
  return aead.seal(random, plain.reveal(), {});
}

#ifdef WRONG
Result<Sealed> stores(const Aead& aead, Random& random, const Cvc& cvc) {
  return aead.seal(random, cvc, {});
}
#endif

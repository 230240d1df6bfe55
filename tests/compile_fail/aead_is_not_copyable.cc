// EXPECT: use of deleted function '.*Aead::Aead\(const .*Aead&\)'
// A key in use has one owner, as any secret.
#include <utility>

#include "crypto/aead.h"

using strongroom::crypto::Aead;

Aead moves(Aead aead) { return Aead(std::move(aead)); }

#ifdef WRONG
Aead copies(const Aead& aead) { return Aead(aead); }
#endif

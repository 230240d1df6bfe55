// EXPECT: use of deleted function '.*::SecretBytes\(const .*SecretBytes&\)'
// A secret has one owner and one place to be wiped.
#include <utility>

#include "base/secret.h"

using strongroom::SecretBytes;

SecretBytes moves(SecretBytes secret) { return SecretBytes(std::move(secret)); }

#ifdef WRONG
SecretBytes copies(const SecretBytes& secret) { return SecretBytes(secret); }
#endif

// EXPECT: deleted function 'bool .*SecretBytes::operator==\(const .*\) const'
// Comparing with == tells an attacker by its time where the first difference is.
#include "base/secret.h"

using strongroom::SecretBytes;

bool compares_in_constant_time(const SecretBytes& a, const SecretBytes& b) {
  return strongroom::equal_constant_time(a.reveal(), b.reveal());
}

#ifdef WRONG
bool compares(const SecretBytes& a, const SecretBytes& b) { return a == b; }
#endif

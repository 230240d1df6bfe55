// EXPECT: use of deleted function 'bool strongroom::cde::Pan::operator==
// Card numbers are compared by their keyed fingerprint, in the HSM.
#include "cde/card/pan.h"

using strongroom::cde::Pan;

bool same_brand(const Pan& a, const Pan& b) { return a.brand() == b.brand(); }

#ifdef WRONG
bool same(const Pan& a, const Pan& b) { return a == b; }
#endif

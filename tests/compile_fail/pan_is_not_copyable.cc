// EXPECT: use of deleted function 'strongroom::cde::Pan::Pan\(const strongroom::cde::Pan&\)'
// A copy of a card number is one more place to wipe.
#include <utility>

#include "cde/card/pan.h"

using strongroom::cde::Pan;

Pan moves(Pan&& pan) { return std::move(pan); }

#ifdef WRONG
Pan copies(const Pan& pan) { return pan; }
#endif

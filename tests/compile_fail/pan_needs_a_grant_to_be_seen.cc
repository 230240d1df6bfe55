// EXPECT: PanReveal::PanReveal\(\)' is private within this context
// Whoever sees digits says so by name: grant() is what tools/reveal.allow looks for.
#include <string_view>

#include "cde/card/pan.h"

using strongroom::cde::Pan;
using strongroom::cde::PanReveal;

std::string_view of(const Pan& pan) { return pan.reveal(PanReveal::grant()); }

#ifdef WRONG
std::string_view unseen(const Pan& pan) { return pan.reveal(PanReveal{}); }
#endif

// EXPECT: use of deleted function 'std::string_view strongroom::cde::Pan::reveal
// The digits of a temporary are wiped before the view could be read.
#include <string_view>
#include <utility>

#include "cde/card/pan.h"

using strongroom::cde::Pan;
using strongroom::cde::PanReveal;

std::string_view of(const Pan& pan) { return pan.reveal(PanReveal::grant()); }

#ifdef WRONG
std::string_view dangling(Pan pan) { return std::move(pan).reveal(PanReveal::grant()); }
#endif

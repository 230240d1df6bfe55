// EXPECT: use of deleted function 'std::ostream& strongroom::cde::operator<<
// A card number must not reach a log by a slip of the pen; bin and last four may.
#include <ostream>

#include "cde/card/pan.h"

using strongroom::cde::Pan;

void shows(std::ostream& out, const Pan& pan) { out << pan.bin() << "******" << pan.last4(); }

#ifdef WRONG
void leaks(std::ostream& out, const Pan& pan) { out << pan; }
#endif

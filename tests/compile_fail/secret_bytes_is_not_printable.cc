// EXPECT: deleted function .*operator<<\(std::ostream&, const .*SecretBytes&\)'
// A secret cannot end up in a log by a stream.
#include <iostream>

#include "base/secret.h"

using strongroom::SecretBytes;

void prints_size(const SecretBytes& secret) { std::cout << secret.size(); }

#ifdef WRONG
void prints(const SecretBytes& secret) { std::cout << secret; }
#endif

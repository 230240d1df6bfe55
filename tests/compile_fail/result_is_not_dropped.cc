// EXPECT: ignoring returned value of type 'strongroom::Result<void>'
// A failure that nobody looks at is a compile error.
#include "base/result.h"

strongroom::Result<void> act();

bool looks() { return act().has_value(); }

#ifdef WRONG
void drops() { act(); }
#endif

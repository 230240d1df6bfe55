// What the target standard_headers compiles; it is there for its precompiled header.
#include "base/standard_headers.h"

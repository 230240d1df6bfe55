// EXPECT: (call to consteval function|is not a constant expression)
// An array that is filled at run time has the type of a literal; consteval is what refuses it.
#include "base/result.h"

using strongroom::Error;
using strongroom::ErrorCode;

Error from_literal() { return Error(ErrorCode::not_found, "no such card"); }

#ifdef WRONG
Error from_buffer(const char (&buffer)[17]) { return Error(ErrorCode::not_found, buffer); }
#endif

// EXPECT: no matching function for call to .*Error\(.*ErrorCode, const char\*\)'
// An error's text is a literal, so that no card number can travel in one.
#include <string>

#include "base/result.h"

using strongroom::Error;
using strongroom::ErrorCode;

Error from_literal() { return Error(ErrorCode::not_found, "no such card"); }

#ifdef WRONG
Error from_runtime(const std::string& text) { return Error(ErrorCode::not_found, text.c_str()); }
#endif

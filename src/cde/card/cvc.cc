// Parsing a card verification code.
#include "cde/card/cvc.h"

#include <algorithm>

#include "base/try.h"

namespace strongroom::cde {

Result<Cvc> Cvc::parse(std::string_view digits) {
  const bool fits = (digits.size() == 3 || digits.size() == 4) &&
                    std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (!fits) return fail({ErrorCode::invalid_argument, "not a card verification code"});
  SR_TRY(SecretBytes copy, SecretBytes::copy_of(as_bytes(digits)));
  return Cvc(std::move(copy));
}

}  // namespace strongroom::cde

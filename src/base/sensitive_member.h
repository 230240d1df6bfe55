// Names of what may never be stored after authorization (PCI DSS 3.3.1): a JSON member that is
// called like a verification code, a PIN or a track has no place in merchants' metadata.
#pragma once

#include <string_view>

namespace strongroom {

// True when `key` is such a name, in any case and with any separators ("Card_CVC" is none, "C-V-C"
// is one); "cid", American Express's word for the code and many a merchant's for a customer, only
// when `value` has the three or four digits of a code. A code under another name cannot be told
// from any number.
[[nodiscard]] bool is_sensitive_member(std::string_view key, std::string_view value) noexcept;

}  // namespace strongroom

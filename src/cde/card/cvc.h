// Cvc: the card verification code, sensitive authentication data (PCI DSS 3.3.1). It has no path to
// storage: nothing that seals or stores takes one, and it can only be moved or dropped.
#pragma once

#include <ostream>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/result.h"
#include "base/secret.h"

namespace strongroom::cde {

// Permission to see a clear CVC: for the request to a processor, or to the vaultd that holds it.
class CvcReveal {
 public:
  static CvcReveal grant() noexcept { return CvcReveal{}; }

 private:
  CvcReveal() = default;
};

// Three or four digits in the secret arena. Moving empties the source; destruction wipes.
class Cvc {
 public:
  // invalid_argument, exhausted.
  [[nodiscard]] static Result<Cvc> parse(std::string_view digits);

  [[nodiscard]] std::string_view reveal(CvcReveal) const& noexcept {
    return as_text(digits_.reveal());
  }
  std::string_view reveal(CvcReveal) && = delete;

  bool operator==(const Cvc&) const = delete;
  friend std::ostream& operator<<(std::ostream&, const Cvc&) = delete;

 private:
  explicit Cvc(SecretBytes digits) noexcept : digits_(std::move(digits)) {}
  SecretBytes digits_;
};

}  // namespace strongroom::cde

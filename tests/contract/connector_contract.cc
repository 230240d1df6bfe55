#include "connector_contract.h"

#include <utility>

namespace strongroom::test {

std::string_view name(Fault fault) noexcept {
  switch (fault) {
    case Fault::silence:
      return "silence";
    case Fault::reset:
      return "reset";
    case Fault::unavailable:
      return "unavailable";
    case Fault::garbage:
      return "garbage";
    case Fault::huge:
      return "huge";
    case Fault::slow:
      return "slow";
    case Fault::other_payment:
      return "other_payment";
  }
  std::unreachable();
}

bool needs_effect(Fault fault) noexcept {
  return fault == Fault::huge || fault == Fault::slow || fault == Fault::other_payment;
}

}  // namespace strongroom::test

// The objects as the API shows them.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "simulators/stripe/api_error.h"
#include "simulators/stripe/form.h"
#include "simulators/stripe/ledger.h"

namespace strongroom::simulators::stripe {

// Expansion is what `expand[]` asks for: objects in place of their ids. Borrows the form.
class Expansion {
 public:
  Expansion() = default;
  // 400 for a property that is not among `expandable`.
  [[nodiscard]] static std::expected<Expansion, ApiError> of(
      const Form& form, std::initializer_list<std::string_view> expandable);
  [[nodiscard]] bool has(std::string_view property) const noexcept;

 private:
  std::vector<std::string_view> properties_;
};

[[nodiscard]] boost::json::object to_json(const Customer& customer);
[[nodiscard]] boost::json::object to_json(const PaymentMethod& method);
// Of `intent`, which made it. Newer versions of the API show a charge's refunds only in a list of
// their own.
[[nodiscard]] boost::json::object to_json(const Charge& charge, const PaymentIntent& intent,
                                          Ledger& ledger);
// `prefix` stands before the properties in `expansion`: "data." in a search.
[[nodiscard]] boost::json::object to_json(const PaymentIntent& intent, Ledger& ledger,
                                          const Expansion& expansion = {},
                                          std::string_view prefix = {});
[[nodiscard]] boost::json::object to_json(const Refund& refund);

}  // namespace strongroom::simulators::stripe

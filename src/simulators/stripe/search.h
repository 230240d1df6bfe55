// The part of Stripe's search query language that this simulator plays: clauses joined by AND, each
// a field, ':' and a quoted text: metadata['order']:'A1', status:'succeeded', customer, currency.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "simulators/stripe/api_error.h"
#include "simulators/stripe/ledger.h"

namespace strongroom::simulators::stripe {

class SearchQuery {
 public:
  static constexpr std::size_t kClausesMax = 10;

  // 400 for what is no such query.
  [[nodiscard]] static std::expected<SearchQuery, ApiError> parse(std::string_view text);
  [[nodiscard]] bool fits(const PaymentIntent& intent) const;

 private:
  struct Clause {
    std::string field;
    std::string metadata_key;  // of field "metadata"
    std::string value;
  };
  std::vector<Clause> clauses_;
};

}  // namespace strongroom::simulators::stripe

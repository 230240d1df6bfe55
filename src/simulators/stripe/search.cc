// A query is read from left to right, once.
#include "simulators/stripe/search.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "simulators/stripe/methods.h"
#include "simulators/stripe/render.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::int64_t kPageMax = 100;
constexpr std::int64_t kPageDefault = 10;

void skip_blanks(std::string_view& text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

bool take(std::string_view& text, std::string_view token) noexcept {
  skip_blanks(text);
  if (!text.starts_with(token)) return false;
  text.remove_prefix(token.size());
  return true;
}

// A text in single or double quotes; a backslash keeps the character behind it.
std::optional<std::string> take_quoted(std::string_view& text) {
  skip_blanks(text);
  if (!text.starts_with('\'') && !text.starts_with('"')) return std::nullopt;
  const char quote = text[0];
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      text.remove_prefix(i + 1);
      return out;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out.push_back(text[i]);
  }
  return std::nullopt;
}

std::string take_word(std::string_view& text) {
  skip_blanks(text);
  const std::size_t size =
      std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), text.size());
  std::string word(text.substr(0, size));
  text.remove_prefix(size);
  return word;
}

bool is_field(std::string_view name) noexcept {
  return name == "metadata" || name == "status" || name == "customer" || name == "currency";
}

std::string_view value_of(const PaymentIntent& intent, std::string_view field) noexcept {
  if (field == "status") return intent.status;
  if (field == "customer") return intent.customer;
  return intent.currency;
}

std::unexpected<ApiError> malformed() {
  return std::unexpected(invalid_request("We were unable to parse your search query.", "query"));
}

}  // namespace

std::expected<SearchQuery, ApiError> SearchQuery::parse(std::string_view text) {
  SearchQuery query;
  do {
    if (query.clauses_.size() == kClausesMax) return malformed();
    Clause clause{.field = take_word(text), .metadata_key = {}, .value = {}};
    if (!is_field(clause.field)) return malformed();
    if (clause.field == "metadata") {
      if (!take(text, "[")) return malformed();
      auto key = take_quoted(text);
      if (!key || !take(text, "]")) return malformed();
      clause.metadata_key = *std::move(key);
    }
    if (!take(text, ":")) return malformed();
    auto value = take_quoted(text);
    if (!value) return malformed();
    clause.value = *std::move(value);
    query.clauses_.push_back(std::move(clause));
  } while (take(text, "AND"));
  skip_blanks(text);
  if (!text.empty()) return malformed();
  return query;
}

bool SearchQuery::fits(const PaymentIntent& intent) const {
  return std::ranges::all_of(clauses_, [&](const Clause& clause) {
    if (clause.field != "metadata") return value_of(intent, clause.field) == clause.value;
    const auto found = intent.metadata.find(clause.metadata_key);
    return found != intent.metadata.end() && found->second == clause.value;
  });
}

// The newest first. A page's token is how many came before it.
Reply search_payment_intents(const Call& call) {
  const auto query = SearchQuery::parse(*call.form.value("query"));
  if (!query) return std::unexpected(query.error());
  const auto expansion =
      Expansion::of(call.form, {"data.latest_charge", "data.customer", "data.payment_method"});
  if (!expansion) return std::unexpected(expansion.error());
  const auto number = [&](std::string_view name, std::int64_t otherwise) {
    return parse_integer(call.form.value(name).value_or("")).value_or(otherwise);
  };
  const std::int64_t limit = std::clamp(number("limit", kPageDefault), std::int64_t{1}, kPageMax);
  const std::int64_t from = std::max(number("page", 0), std::int64_t{0});
  const std::int64_t seen_until_us = call.ledger.now_us() - call.search.delay_us;
  boost::json::array data;
  std::int64_t found = 0;
  const auto& keys = call.ledger.payment_intents.keys();
  for (auto key = keys.rbegin(); key != keys.rend() && found <= from + limit; ++key) {
    const PaymentIntent& intent = *call.ledger.payment_intents.find(*key);
    const bool seen = intent.account == call.account && intent.changed_us <= seen_until_us;
    if (!seen || !query->fits(intent)) continue;
    if (found >= from && found < from + limit) {
      data.push_back(to_json(intent, call.ledger, *expansion, "data."));
    }
    ++found;
  }
  const bool more = found > from + limit;
  boost::json::value next;
  if (more) next = std::to_string(from + limit);
  return boost::json::object{{"object", "search_result"},
                             {"data", std::move(data)},
                             {"has_more", more},
                             {"next_page", std::move(next)},
                             {"url", "/v1/payment_intents/search"}};
}

}  // namespace strongroom::simulators::stripe

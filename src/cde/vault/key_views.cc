// A version as JSON; and what an operator is told who asks for what cannot be.
#include "cde/vault/key_views.h"

#include <boost/json/array.hpp>
#include <charconv>
#include <expected>
#include <optional>
#include <string_view>

#include "base/encoding.h"
#include "cde/vault/vault_answers.h"

namespace strongroom::cde {
namespace {

using wire::Literal;
using wire::Problem;
using wire::ProblemType;

constexpr double kMicrosecondsPerDay = 86'400e6;

constexpr Problem kAltered{ProblemType::sealed,
                           "the key registry was altered, and nothing is encrypted until it is as"
                           " vaultd wrote it: strongroom keys check names the rows"};

boost::json::value time_or_null(const std::optional<std::int64_t>& time_us) {
  return time_us ? boost::json::value(rfc3339(*time_us)) : boost::json::value(nullptr);
}

// Those that have read of the state that the version is in.
boost::json::array instances_with(const RegisteredKey& key, const KeyKeeper& keeper) {
  boost::json::array names;
  for (const VaultInstances::Instance& one : keeper.instances()) {
    if (one.revision >= key.state_revision) names.emplace_back(one.name);
  }
  return names;
}

}  // namespace

boost::json::object view_of(const RegisteredKey& key, const KeyKeeper& keeper, const Clock& clock) {
  const KeyKind& kind = kind_of(key.name);
  boost::json::object view{
      {"name", kind.text},
      {"version", key.version},
      {"label", key.label()},
      {"algorithm", kind.algorithm},
      {"purpose", kind.purpose},
      {"check_value", hex(key.check_value)},
      {"state", to_string(key.state)},
      {"created_at", rfc3339(key.created_at_us)},
      {"activated_at", time_or_null(key.activated_at_us)},
      {"state_since", rfc3339(key.state_since_us)},
      {"cryptoperiod_days", static_cast<double>(key.cryptoperiod_us) / kMicrosecondsPerDay},
      {"cryptoperiod_used", nullptr},
      {"due_at", nullptr},
      {"uses", nullptr},
      {"uses_rotate_at", nullptr},
      {"uses_max", nullptr},
      {"emptied_at", time_or_null(key.emptied_at_us)},
      {"vaultds", instances_with(key, keeper)}};
  if (key.activated_at_us) {
    const auto age_us = static_cast<double>(clock.now_us() - *key.activated_at_us);
    view["cryptoperiod_used"] = age_us / static_cast<double>(key.cryptoperiod_us);
    view["due_at"] = rfc3339(*key.activated_at_us + key.cryptoperiod_us);
  }
  if (KeyKeeper::counts_uses_of(key.name)) {
    view["uses"] = key.uses;
    view["uses_rotate_at"] = KeyKeeper::kRotateAt;
    view["uses_max"] = KeyKeeper::kUsesMax;
  }
  return view;
}

Answer<AskedVersion> version_in(const http::Request& request) {
  const Result<KeyName> name = parse_key_name(request.parameter(0));
  if (!name) return std::unexpected(kNoSuchKey);
  const std::string_view text = request.parameter(1);
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool read = error == std::errc() && end == text.data() + text.size();
  if (!read) return std::unexpected(kNoSuchVersion);
  return AskedVersion{*name, version};
}

Problem problem_of_keys(const Error& error) {
  switch (error.code()) {
    case ErrorCode::invalid_argument:
      return {ProblemType::invalid_value, Literal(error)};
    case ErrorCode::conflict:
      return {ProblemType::conflict, Literal(error)};
    case ErrorCode::not_found:
      return {ProblemType::not_found, Literal(error)};
    case ErrorCode::exhausted:
      return {ProblemType::overloaded, Literal(error), {}, kRetryAfterS};
    case ErrorCode::corrupt:
      return kAltered;
    default:
      return problem_of_hsm(error);
  }
}

}  // namespace strongroom::cde

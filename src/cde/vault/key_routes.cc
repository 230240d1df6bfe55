// What the registry has, as JSON; and what an operator is told who asks for what cannot be.
#include "cde/vault/key_routes.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "cde/vault/answer.h"
#include "cde/vault/vault_answers.h"
#include "http/operator_user.h"
#include "http/route_table.h"

namespace strongroom::cde {
namespace {

using async::Task;
using http::Request;
using http::Response;
using wire::Literal;
using wire::Problem;
using wire::ProblemType;

constexpr double kMicrosecondsPerDay = 86'400e6;

constexpr Problem kNoSuchKey{
    ProblemType::not_found,
    "vaultd's keys are pan-encryption, pan-fingerprint, blind-index and key-registry"};
constexpr Problem kNoSuchVersion{ProblemType::not_found,
                                 "that key has no such version: see strongroom keys list"};
constexpr Problem kAltered{ProblemType::sealed,
                           "the key registry was altered, and nothing is encrypted until it is as"
                           " vaultd wrote it: strongroom keys check names the rows"};

Response problem(const Problem& what, const Request& request) {
  return http::problem_response(what, request.request_id());
}

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

boost::json::object view_of(const RegisteredKey& key, const KeyParts& parts) {
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
      {"vaultds", instances_with(key, parts.keeper)}};
  if (key.activated_at_us) {
    const auto age_us = static_cast<double>(parts.clock.now_us() - *key.activated_at_us);
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

boost::json::object view_of(const HsmDescription& hsm) {
  return {{"module_manufacturer", hsm.module_manufacturer},
          {"module_description", hsm.module_description},
          {"module_version", hsm.module_version},
          {"cryptoki_version", hsm.cryptoki_version},
          {"token_label", hsm.token_label},
          {"token_manufacturer", hsm.token_manufacturer},
          {"token_model", hsm.token_model},
          {"token_serial", hsm.token_serial},
          {"token_hardware_version", hsm.token_hardware_version},
          {"token_firmware_version", hsm.token_firmware_version}};
}

boost::json::value view_of(const RewrapJob::Progress& progress) {
  if (progress.versions.empty()) return nullptr;
  return {{"moved", progress.moved},
          {"failed", progress.failed},
          {"done", progress.done},
          {"total", progress.total},
          {"per_second", progress.per_second},
          {"seconds_left", progress.left ? boost::json::value(progress.left->count())
                                         : boost::json::value(nullptr)}};
}

Task<Response> list(KeyParts parts, Request& request) {
  const auto hsm = co_await parts.keeper.describe_hsm();
  if (!hsm) co_return problem(problem_of_hsm(hsm.error()), request);
  boost::json::array data;
  for (const RegisteredKey& key : parts.keeper.records().keys) {
    data.emplace_back(view_of(key, parts));
  }
  boost::json::array vaultds;
  for (const VaultInstances::Instance& one : parts.keeper.instances()) {
    vaultds.push_back({{"name", one.name}, {"revision", one.revision}});
  }
  const std::optional<Error>& trouble = parts.keeper.trouble();
  const boost::json::object answer{
      {"object", "list"},
      {"data", std::move(data)},
      {"next", nullptr},
      {"revision", parts.keeper.records().revision},
      {"trouble", trouble ? boost::json::value(trouble->what()) : boost::json::value(nullptr)},
      {"vaultds", std::move(vaultds)},
      {"rewrap", view_of(parts.rewrap.progress())},
      {"hsm", view_of(*hsm)}};
  co_return http::json_response(200, boost::json::serialize(answer));
}

Task<Response> show(KeyParts parts, Request& request) {
  const Result<KeyName> name = parse_key_name(request.parameter(0));
  if (!name) co_return problem(kNoSuchKey, request);
  const std::string_view text = request.parameter(1);
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool read = error == std::errc() && end == text.data() + text.size();
  const RegisteredKey* const key = read ? parts.keeper.records().find(*name, version) : nullptr;
  if (key == nullptr) co_return problem(kNoSuchVersion, request);
  co_return http::json_response(200, boost::json::serialize(view_of(*key, parts)));
}

// What an operator can mend is told; the neighbor that is absent has its own type.
Problem problem_of_rotation(const Error& error) {
  switch (error.code()) {
    case ErrorCode::invalid_argument:
      return {ProblemType::invalid_value, Literal(error)};
    case ErrorCode::conflict:
      return {ProblemType::conflict, Literal(error)};
    case ErrorCode::exhausted:
      return {ProblemType::overloaded, Literal(error), {}, kRetryAfterS};
    case ErrorCode::corrupt:
      return kAltered;
    default:
      return problem_of_hsm(error);
  }
}

Task<Response> rotate(KeyParts parts, Request& request) {
  const Result<KeyName> name = parse_key_name(request.parameter(0));
  if (!name) co_return problem(kNoSuchKey, request);
  std::string user = http::operator_user(request);
  const Result<RegisteredKey> begun = co_await parts.keeper.rotate(*name, std::move(user));
  if (!begun) co_return problem(problem_of_rotation(begun.error()), request);
  const RegisteredKey* const key = parts.keeper.records().find(begun->name, begun->version);
  co_return http::json_response(200, boost::json::serialize(view_of(key ? *key : *begun, parts)));
}

Task<Response> check(KeyParts parts, Request& request) {
  const auto found = co_await parts.keeper.check();
  if (!found) co_return problem(problem_of_hsm(found.error()), request);
  boost::json::array findings;
  for (const KeyKeeper::Finding& one : *found) {
    findings.push_back(
        {{"key", one.label.empty() ? boost::json::value(nullptr) : boost::json::value(one.label)},
         {"finding", one.text}});
  }
  const boost::json::object answer{{"ok", findings.empty()},
                                   {"checked_at", rfc3339(parts.clock.now_us())},
                                   {"keys", parts.keeper.records().keys.size()},
                                   {"findings", std::move(findings)}};
  co_return http::json_response(200, boost::json::serialize(answer));
}

}  // namespace

void add_key_routes(http::Router& router, KeyParts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(http::Method::get, "/v1/keys", list);
  routes.add(http::Method::get, "/v1/keys/check", check);
  routes.add(http::Method::get, "/v1/keys/{name}/{version}", show);
  routes.add(http::Method::post, "/v1/keys/{name}/rotate", rotate);
}

}  // namespace strongroom::cde

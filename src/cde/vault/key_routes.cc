// What the registry has, as JSON; and what an operator is told who asks for what cannot be.
#include "cde/vault/key_routes.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "cde/vault/key_views.h"
#include "cde/vault/vault_answers.h"
#include "http/operator_user.h"
#include "http/route_table.h"

namespace strongroom::cde {
namespace {

using async::Task;
using http::Request;
using http::Response;
using wire::Problem;

Response problem(const Problem& what, const Request& request) {
  return http::problem_response(what, request.request_id());
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
    data.emplace_back(view_of(key, parts.keeper, parts.clock));
  }
  boost::json::array vaultds;
  for (const VaultInstances::Instance& one : parts.keeper.instances()) {
    vaultds.push_back({{"name", one.name}, {"revision", one.revision}});
  }
  boost::json::array erasures;
  for (const ErasureJob::Due& due : parts.erasures.due()) {
    erasures.push_back(
        {{"key", key_label(KeyName::pan_encryption, due.version)}, {"due_at", rfc3339(due.at_us)}});
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
      {"erasures", std::move(erasures)},
      {"hsm", view_of(*hsm)}};
  co_return http::json_response(200, boost::json::serialize(answer));
}

Task<Response> show(KeyParts parts, Request& request) {
  const auto asked = version_in(request);
  if (!asked) co_return problem(asked.error(), request);
  const RegisteredKey* const key = parts.keeper.records().find(asked->name, asked->version);
  if (key == nullptr) co_return problem(kNoSuchVersion, request);
  co_return http::json_response(200,
                                boost::json::serialize(view_of(*key, parts.keeper, parts.clock)));
}

Task<Response> rotate(KeyParts parts, Request& request) {
  const Result<KeyName> name = parse_key_name(request.parameter(0));
  if (!name) co_return problem(kNoSuchKey, request);
  std::string user = http::operator_user(request);
  const Result<RegisteredKey> begun = co_await parts.keeper.rotate(*name, std::move(user));
  if (!begun) co_return problem(problem_of_keys(begun.error()), request);
  const RegisteredKey* const key = parts.keeper.records().find(begun->name, begun->version);
  co_return http::json_response(
      200, boost::json::serialize(view_of(key ? *key : *begun, parts.keeper, parts.clock)));
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

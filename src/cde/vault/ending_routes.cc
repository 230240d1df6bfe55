// What hinders a version's end, in words that say what to do.
#include "cde/vault/ending_routes.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "cde/vault/key_views.h"
#include "cde/vault/vault_answers.h"
#include "http/operator_user.h"
#include "http/route_table.h"

namespace strongroom::cde {
namespace {

using async::Task;
using http::Request;
using http::Response;
using Kind = Hindrance::Kind;

Response problem(const wire::Problem& what, const Request& request) {
  return http::problem_response(what, request.request_id());
}

constexpr std::string_view word_of(Kind kind) {
  switch (kind) {
    case Kind::in_use:
      return "in-use";
    case Kind::stands:
      return "stands";
    case Kind::no_backup:
      return "no-backup";
    case Kind::no_copy:
      return "no-copy";
    case Kind::key_backup:
      return "key-backup";
    case Kind::other_vaultd:
      return "vaultd";
    case Kind::hsm:
      return "hsm";
  }
  return {};
}

std::string text_of(const Hindrance& hindrance, const RegisteredKey& key, std::int64_t cards) {
  switch (hindrance.kind) {
    case Kind::in_use:
      return fmt::format("it is {}: rotate first", to_string(key.state));
    case Kind::stands:
      if (key.name != KeyName::pan_encryption) return "something may still stand under it";
      return fmt::format(
          "{} live cards stand under it, and no pass through all cards has found none: they move"
          " by themselves",
          cards);
    case Kind::no_backup:
      return "no backup since nothing stands under it is known to be whole: strongroom backup"
             " create";
    case Kind::no_copy:
      return "no backup of keys that has it was ever noted, and there may be one: note each by"
             " strongroom keys backups add, or make one, and close it when every copy is destroyed";
    case Kind::key_backup:
      return fmt::format(
          "the backup of keys {0} may give it back: destroy every copy, and strongroom keys backups"
          " close {0} --destroyed",
          hindrance.of);
    case Kind::other_vaultd:
      return fmt::format(
          "vaultd {} has not said that it has no copy: start it, or where it is gone for good, one"
          " of its name, and stop that",
          hindrance.of);
    case Kind::hsm:
      return "vaultd could not have the HSM destroy it, and tries again in ten minutes: its log has"
             " the reason";
  }
  return {};
}

Task<Response> answer(EndingParts parts, RegisteredKey key, std::vector<Hindrance> hindrances,
                      Request& request) {
  boost::json::array texts;
  for (const Hindrance& one : hindrances) {
    std::int64_t cards = 0;
    if (one.kind == Kind::stands && key.name == KeyName::pan_encryption) {
      const auto count = co_await parts.cards.count_under(key.version);
      if (!count) co_return problem(problem_of_database(count.error()), request);
      cards = *count;
    }
    texts.push_back(
        {{"kind", word_of(one.kind)},
         {"of", one.of.empty() ? boost::json::value(nullptr) : boost::json::value(one.of)},
         {"count", one.kind == Kind::stands ? boost::json::value(cards) : nullptr},
         {"text", text_of(one, key, cards)}});
  }
  const boost::json::object body{{"key", view_of(key, parts.keeper, parts.clock)},
                                 {"hindrances", std::move(texts)}};
  co_return http::json_response(200, boost::json::serialize(body));
}

Task<Response> mark_compromised(EndingParts parts, Request& request) {
  const auto asked = version_in(request);
  if (!asked) co_return problem(asked.error(), request);
  std::string user = http::operator_user(request);
  const auto key =
      co_await parts.keeper.mark_compromised(asked->name, asked->version, std::move(user));
  if (!key) co_return problem(problem_of_keys(key.error()), request);
  co_return co_await answer(parts, *key, {}, request);
}

Task<Response> destroy(EndingParts parts, Request& request) {
  const auto asked = version_in(request);
  if (!asked) co_return problem(asked.error(), request);
  std::string user = http::operator_user(request);
  auto begun = co_await parts.keeper.destroy(asked->name, asked->version, std::move(user));
  if (!begun) co_return problem(problem_of_keys(begun.error()), request);
  co_return co_await answer(parts, begun->key, std::move(begun->hindrances), request);
}

Task<Response> hindrances(EndingParts parts, Request& request) {
  const auto asked = version_in(request);
  if (!asked) co_return problem(asked.error(), request);
  auto found = co_await parts.keeper.hindrances(asked->name, asked->version);
  if (!found) co_return problem(problem_of_keys(found.error()), request);
  const RegisteredKey key = *parts.keeper.records().find(asked->name, asked->version);
  co_return co_await answer(parts, key, *std::move(found), request);
}

}  // namespace

void add_ending_routes(http::Router& router, EndingParts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(http::Method::get, "/v1/keys/{name}/{version}/hindrances", hindrances);
  routes.add(http::Method::post, "/v1/keys/{name}/{version}/mark-compromised", mark_compromised);
  routes.add(http::Method::post, "/v1/keys/{name}/{version}/destroy", destroy);
}

}  // namespace strongroom::cde

// Reading the operator's words and answering them.
#include "cde/vault/delete_routes.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "http/operator_user.h"
#include "http/route_table.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

using async::Task;
using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr wire::TextLength kIdLength{.min = 1, .max = 64};
constexpr Problem kNoSuchPage{ProblemType::invalid_value, "must be the last answer's next",
                              "?after"};

Response problem(const Problem& what, const Request& request) {
  return http::problem_response(what, request.request_id());
}

Answer<HeldDeletes::GroupMark> mark_of(const Request& request) {
  HeldDeletes::GroupMark mark;
  const std::string after = request.query_parameter("after").value_or("");
  if (after.empty()) return mark;
  const std::size_t half = after.size() / 2;
  const bool read = parse_hex(std::string_view(after).substr(0, half), mark.merchant) &&
                    parse_hex(std::string_view(after).substr(half), mark.key);
  if (!read) return std::unexpected(kNoSuchPage);
  return mark;
}

boost::json::value text_or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

Task<Response> list(DeleteParts parts, Request& request) {
  const auto after = mark_of(request);
  if (!after) co_return problem(after.error(), request);
  const auto limit = http::page_limit(request, DeleteDesk::kPageMax);
  if (!limit) co_return problem(limit.error(), request);
  const auto all = co_await parts.desk.list(*after, *limit);
  if (!all) co_return problem(all.error(), request);
  boost::json::array data;
  for (const DeleteDesk::Held& held : *all) {
    data.push_back({{"merchant", text_or_null(held.merchant)},
                    {"key", text_or_null(held.key)},
                    {"held", held.group.held},
                    {"released", held.group.released},
                    {"first_held_at", rfc3339(held.group.first_us)},
                    {"last_held_at", rfc3339(held.group.last_us)}});
  }
  boost::json::object page{{"object", "list"}, {"data", std::move(data)}, {"next", nullptr}};
  if (all->size() == *limit) {
    const HeldDeletes::Group& last = all->back().group;
    page["next"] = hex(last.merchant) + hex(last.key);
  }
  co_return http::json_response(200, boost::json::serialize(page));
}

Answer<DeleteDesk::Chosen> parse_chosen(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  DeleteDesk::Chosen chosen;
  chosen.merchant = reader.text("#/merchant", kIdLength);
  chosen.key = reader.text_or_none("#/key", kIdLength).value_or("");
  if (const auto wrong = reader.finish("merchant, and key")) return std::unexpected(*wrong);
  return chosen;
}

template <Decision kDecision>
Task<Response> decide(DeleteParts parts, Request& request) {
  auto chosen = parse_chosen(as_text(request.body()));
  if (!chosen) co_return problem(chosen.error(), request);
  std::string user = http::operator_user(request);
  const auto count = co_await parts.desk.decide(kDecision, *std::move(chosen), std::move(user));
  if (!count) co_return problem(count.error(), request);
  co_return http::json_response(200, fmt::format(R"({{"count":{}}})", *count));
}

}  // namespace

void add_delete_routes(http::Router& router, DeleteParts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(http::Method::get, "/v1/held-deletes", list);
  routes.add(http::Method::post, "/v1/held-deletes/release", decide<Decision::release>);
  routes.add(http::Method::post, "/v1/held-deletes/refuse", decide<Decision::refuse>);
}

}  // namespace strongroom::cde

// Routes of /_sim that no processor's API has a say in.
#include "simulators/control.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace strongroom::simulators {

using http::Request;
using http::Response;

void Control::add_routes(http::Router& router) {
  router.add({.method = http::Method::post,
              .pattern = "/_sim/faults",
              .identities = {http::kAnyone},
              .handler = [this](Request& request) { return add_fault(request); }});
  router.add({.method = http::Method::delete_,
              .pattern = "/_sim/faults",
              .identities = {http::kAnyone},
              .handler = [this](Request&) { return clear_faults(); }});
  router.add({.method = http::Method::get,
              .pattern = "/_sim/requests",
              .identities = {http::kAnyone},
              .handler = [this](Request&) { return show_requests(); }});
}

std::optional<Fault> Control::take_fault(std::string_view path) {
  auto fault = faults_.take(path);
  if (fault) ++faulted_;
  return fault;
}

async::Task<Response> Control::add_fault(Request& request) {
  auto fault = parse_fault(request.body());
  if (!fault) co_return http::problem_response(fault.error(), request.request_id());
  if (const auto added = faults_.add(*std::move(fault)); !added) {
    co_return http::problem_response(wire::problem_of(added.error()), request.request_id());
  }
  co_return Response{.status = 204};
}

// {"unused": how many requests would still have failed}
async::Task<Response> Control::clear_faults() {
  const boost::json::object answer{{"unused", faults_.clear()}};
  co_return http::json_response(200, boost::json::serialize(answer));
}

// Counts since the start: {"by_route":{"POST /v1/refunds":2},"replayed":1,"faulted":1}
async::Task<Response> Control::show_requests() {
  boost::json::object by_route;
  for (const auto& [route, number] : requests_) by_route[route] = number;
  const boost::json::object answer{
      {"by_route", std::move(by_route)}, {"replayed", replayed_}, {"faulted", faulted_}};
  co_return http::json_response(200, boost::json::serialize(answer));
}

}  // namespace strongroom::simulators

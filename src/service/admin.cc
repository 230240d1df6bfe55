// The three routes that every admin socket has.
#include "service/admin.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "service/version.h"

namespace strongroom::service {
namespace {

async::Task<http::Response> healthy(http::Request&) {
  co_return http::json_response(200, R"({"status":"ok"})");
}

async::Task<http::Response> metrics_text(Registry& metrics) {
  co_return http::Response{.status = 200,
                           .content_type = "text/plain; version=0.0.4",
                           .headers = {},
                           .body = metrics.text()};
}

// What a /readyz handler keeps from one request to the next.
struct ReadyRoute {
  AdminFacts facts;
  std::move_only_function<async::Task<Readiness>()> collect;
};

async::Task<http::Response> readiness(ReadyRoute& route) {
  const Readiness readiness = co_await route.collect();
  co_return http::json_response(readiness.ready() ? 200 : 503,
                                readiness_json(readiness, route.facts));
}

}  // namespace

void add_admin_routes(http::Router& router, AdminFacts facts, Registry& metrics,
                      std::move_only_function<async::Task<Readiness>()> collect) {
  router.add({.pattern = "/healthz", .identities = {http::kLocal}, .handler = healthy});
  router.add({.pattern = "/metrics",
              .identities = {http::kLocal},
              .handler = [&metrics](http::Request&) { return metrics_text(metrics); }});
  auto route = std::make_unique<ReadyRoute>(std::move(facts), std::move(collect));
  router.add({.pattern = "/readyz",
              .identities = {http::kLocal},
              .handler = [route = std::move(route)](http::Request&) { return readiness(*route); }});
}

std::string readiness_json(const Readiness& readiness, const AdminFacts& facts) {
  boost::json::array checks;
  for (const Check& check : readiness.checks()) {
    checks.push_back({{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}});
  }
  const boost::json::object document{
      {"ready", readiness.ready()},
      {"instance", facts.instance},
      {"version", kVersion},
      {"checks", std::move(checks)},
      {"warnings", boost::json::array(readiness.warnings().begin(), readiness.warnings().end())},
      {"sandbox_gaps", boost::json::array(facts.sandbox_gaps.begin(), facts.sandbox_gaps.end())},
      {"memory", facts.memory},
      {"memory_locked", facts.memory_locked}};
  return boost::json::serialize(document);
}

}  // namespace strongroom::service

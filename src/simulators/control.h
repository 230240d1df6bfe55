// Control: what a test asks a simulator beside its API, under /_sim: to fail, and what it has seen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "http/message.h"
#include "http/router.h"
#include "simulators/faults.h"

namespace strongroom::simulators {

// One Loop's; outlives the router that it adds routes to.
class Control {
 public:
  // POST and DELETE /_sim/faults, GET /_sim/requests.
  void add_routes(http::Router& router);

  // Counts a request of `route` ("POST /v1/refunds"): one of a program's few, never a client's
  // text.
  void count(const std::string& route) { ++requests_[route]; }
  void count_replay() noexcept { ++replayed_; }
  // The fault that this request is to meet, if any.
  [[nodiscard]] std::optional<Fault> take_fault(std::string_view path);

 private:
  async::Task<http::Response> add_fault(http::Request& request);
  async::Task<http::Response> clear_faults();
  async::Task<http::Response> show_requests();

  FaultPlan faults_;
  std::map<std::string, std::uint64_t> requests_;
  std::uint64_t replayed_ = 0;
  std::uint64_t faulted_ = 0;
};

}  // namespace strongroom::simulators

// RouteTable: the routes of a daemon that are called by the same peers and act on the same parts.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "async/task.h"
#include "http/message.h"
#include "http/router.h"

namespace strongroom::http {

namespace internal {
// 503 service_unavailable.
[[nodiscard]] async::Task<Response> not_yet(const Request& request);
}  // namespace internal

// As in Route.
struct Callers {
  std::vector<std::string_view> identities;
  bool ticket = false;
};

// `Parts` is cheap to copy, and what it refers to outlives the router. While its member `serving`
// is false, until the daemon's start is recorded, requests are answered 503.
template <class Parts>
class RouteTable {
 public:
  using Act = async::Task<Response> (*)(Parts, Request&);

  RouteTable(Router& router, Parts parts, Callers callers)
      : router_(router), parts_(std::move(parts)), callers_(std::move(callers)) {}

  void add(Method method, std::string_view pattern, Act act) {
    // The analyzer does not follow a handler, which move_only_function keeps on the heap, into
    // add().
    // NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks)
    router_.add({.method = method,
                 .pattern = pattern,
                 .identities = callers_.identities,
                 .ticket = callers_.ticket,
                 .handler = [parts = parts_, act](Request& request) {
                   return parts.serving ? act(parts, request) : internal::not_yet(request);
                 }});
    // NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)
  }

 private:
  Router& router_;
  Parts parts_;
  Callers callers_;
};

}  // namespace strongroom::http

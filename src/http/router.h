// Router: which peer may ask for what. Default deny: what no route names is not there, and a route
// serves only the identities that it lists.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "http/message.h"

namespace strongroom::http {

// Handler answers one request. It may keep views of the request until its task ends.
using Handler = std::move_only_function<async::Task<Response>(Request&)>;

// Entries of Route::identities with a meaning of their own.
inline constexpr std::string_view kAnyone = "*";  // the public listener: no certificate asked for
inline constexpr std::string_view kLocal = "@local";  // a Unix socket whose peer's uid was accepted

inline constexpr std::size_t kBodyBytesMax = std::size_t{16} << 10;

struct Route {
  Method method = Method::get;
  // "/v1/cards/{token}": a {..} part takes one segment. "/v1/tokens*": that path and all below it.
  std::string_view pattern;
  std::vector<std::string_view> identities{};  // who may call; empty: nobody
  bool ticket = false;                         // asks for a valid Strongroom-Ticket
  // How long after its end a ticket still counts here; the handler asks Ticket::has_ended whether
  // what it is to do is among what an ended one may settle.
  std::chrono::seconds ticket_late_max{};
  std::size_t body_bytes_max = kBodyBytesMax;  // at most SecretBytes::kSizeMax
  Handler handler{};
};

// A Router is filled at start and then used by the Servers of one Loop; strings in routes are
// literals.
class Router {
 public:
  // Called before a denial (not_allowed) is answered, to write it into the audit log. False: it
  // could not be written, and the answer becomes 503 audit_unavailable.
  using OnDenied = std::move_only_function<async::Task<bool>(const Request&, const wire::Problem&)>;

  // Called with every answer of status 400 or more before it is sent, also where no route was
  // sought for (`request_id` is what the client is told).
  using OnRefused = std::move_only_function<void(std::string_view request_id, const Response&)>;

  // Of two routes that fit a request, the one added first serves it.
  // REQUIRES: no route of the same method and pattern yet; no empty identity; at most
  // Request::kParametersMax parts.
  void add(Route route);
  void on_denied(OnDenied hook) { on_denied_ = std::move(hook); }
  void on_refused(OnRefused hook) { on_refused_ = std::move(hook); }
  // `verifier` outlives the router. REQUIRED before a route with `ticket` is served.
  void set_ticket_verifier(const TicketVerifier& verifier) noexcept { verifier_ = &verifier; }

  // The largest body that the request's route takes; for no route, kBodyBytesMax: such a request is
  // read to its end and then refused like any other.
  [[nodiscard]] std::size_t body_bytes_max(const Head& head) const noexcept;
  // Finds the route, checks the peer and the ticket, and runs the handler. Every request gets an
  // answer: 404 not_found, 405 method_not_allowed with Allow, 403 not_allowed, or the handler's.
  [[nodiscard]] async::Task<Response> dispatch(Request& request);
  // For the Server: tells the hook of `response`, which is about to be sent.
  void note(std::string_view request_id, const Response& response);

 private:
  struct Match {
    Route* route = nullptr;
    std::string allow{};  // methods of the routes whose pattern fits, when none has the method
  };
  Match match(Request& request);
  async::Task<Response> deny(Request& request, wire::Problem problem);

  std::vector<Route> routes_;
  OnDenied on_denied_;
  OnRefused on_refused_;
  const TicketVerifier* verifier_ = nullptr;
};

}  // namespace strongroom::http

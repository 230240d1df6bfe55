// InnerListener: a worker's routes for its neighbors, behind mutual TLS and tickets.
#pragma once

#include <memory>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "http/router.h"
#include "http/server.h"
#include "http/ticket.h"
#include "service/deployment.h"

namespace strongroom::service {

// Belongs to one Loop, which outlives it. What the routes refer to outlives it, too.
class InnerListener {
 public:
  InnerListener(async::Loop& loop, http::TicketVerifier verifier);
  InnerListener(const InnerListener&) = delete;
  InnerListener& operator=(const InnerListener&) = delete;

  // Routes are added before open(); tickets are verified already.
  [[nodiscard]] http::Router& router() noexcept { return router_; }
  // Accepts on `address` from now on. Errors of load_server_tls and http::Server::listen_tcp.
  [[nodiscard]] Result<void> open(const Deployment& deployment, const Address& address,
                                  const Credentials& credentials);
  // Stops accepting and waits for what is under way, for at most a few seconds.
  [[nodiscard]] async::Task<void> drain();
  // Reads certificate, key and ticket keys again; what cannot be taken over is logged and stays as
  // it was; then false.
  bool reload(const Deployment& deployment, const Credentials& credentials);

 private:
  async::Loop& loop_;
  http::TicketVerifier verifier_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

// The ticket keys as they are in the file now. Errors of load_ticket_keys and
// http::TicketVerifier::create.
[[nodiscard]] Result<http::TicketVerifier> load_ticket_verifier(const Deployment& deployment,
                                                                const Clock& clock);

}  // namespace strongroom::service

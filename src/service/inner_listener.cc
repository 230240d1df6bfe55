#include "service/inner_listener.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::service {
namespace {

constexpr std::chrono::seconds kPatience{5};

}  // namespace

InnerListener::InnerListener(async::Loop& loop, http::TicketVerifier verifier)
    : loop_(loop), verifier_(std::move(verifier)) {
  router_.set_ticket_verifier(verifier_);
}

Result<void> InnerListener::open(const Deployment& deployment, const Address& address,
                                 const Credentials& credentials) {
  SR_TRY(auto tls, load_server_tls(deployment, credentials));
  SR_TRY(server_, http::Server::listen_tcp(loop_, {address.host, address.port}, std::move(tls),
                                           router_, {}));
  return {};
}

async::Task<void> InnerListener::drain() {
  if (server_) co_await server_->drain(kPatience);
}

bool InnerListener::reload(const Deployment& deployment, const Credentials& credentials) {
  const auto tls = load_server_tls(deployment, credentials);
  if (!tls) {
    log::warn("certificate not taken over", {{"error", tls.error()}});
  } else if (server_) {
    server_->set_tls(*tls);
  }
  const auto lines = load_ticket_keys(deployment);
  const Result<void> reloaded = lines ? verifier_.reload(*lines) : fail(lines.error());
  if (!reloaded) log::warn("ticket keys not taken over", {{"error", reloaded.error()}});
  return tls && reloaded;
}

Result<http::TicketVerifier> load_ticket_verifier(const Deployment& deployment,
                                                  const Clock& clock) {
  SR_TRY(const std::string lines, load_ticket_keys(deployment));
  return http::TicketVerifier::create(lines, clock);
}

}  // namespace strongroom::service

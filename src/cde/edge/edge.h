// Edge: the public API's door. It takes a credential, gets a ticket for it, and passes the request
// on; bodies go through in secret memory, unread but for one look: what looks like a card number
// does not leave the CDE. What is not listed here does not go through.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/log_recurring.h"
#include "cde/edge/ticket_desk.h"
#include "http/client.h"
#include "http/client_group.h"
#include "http/router.h"
#include "http/shares.h"

namespace strongroom::cde {

// Belongs to one Loop; the clients outlive it.
class Edge final {
 public:
  static constexpr std::uint64_t kRefusalsLoggedPerSecond = 10;
  // So many questions about the audit log, which may take seconds, a merchant may have under way.
  static constexpr std::size_t kAuditRequestsPerMerchantMax = 8;

  Edge(http::Client& authd, http::ClientGroup& vaultds)
      : tickets_(authd), authd_(authd), vaultds_(vaultds) {}

  // Has refused requests logged by id, so that an operator finds what a merchant asks about, and
  // adds the public routes: `/v1/tokens*` to vaultd as `/v1/cards*`, `/v1/api-keys*` to authd,
  // `/healthz` and
  // `/openapi.json` answered here. `router` does not outlive the Edge.
  void add_routes(http::Router& router);
  // Adds `/v1/payments*` and `/v1/connector-accounts`, passed on to gatewayd, which outlives the
  // router, too.
  void add_payment_routes(http::Router& router, http::Client& gatewayd);
  // Adds `/v1/audit*`, passed on to audit-relay, which outlives the router, too. For more than
  // kAuditRequestsPerMerchantMax it is 429 rate_limited, so that no merchant keeps the others from
  // it.
  void add_audit_routes(http::Router& router, http::Client& audit_relay);

 private:
  // Passes `request` on to `target` at `upstream`, for the merchant of its credential and within
  // its share, where there are `shares`.
  async::Task<http::Response> pass(http::Client& upstream, std::string target,
                                   http::Request& request, http::Shares* shares = nullptr);
  // The same to the vaultd that `key` names, which alone may see a card.
  async::Task<http::Response> pass_card(std::string key, std::string target,
                                        http::Request& request);
  using Send = std::move_only_function<async::Task<Result<http::ClientResponse>>(
      const http::ClientRequest&)>;
  async::Task<http::Response> pass_by(Send send, std::string target, http::Request& request,
                                      http::Shares* shares);

  TicketDesk tickets_;
  http::Client& authd_;
  http::ClientGroup& vaultds_;
  http::Shares audit_shares_{kAuditRequestsPerMerchantMax};
  log::Recurring refused_{"request refused", kRefusalsLoggedPerSecond};
};

}  // namespace strongroom::cde

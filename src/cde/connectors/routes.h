// connectord's HTTP interface (api/connector.yaml). Two roles, each for its one caller: a
// production deployment runs them as two instances, so that whoever pays never meets a card.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/config.h"
#include "cde/connectors/connector_service.h"
#include "http/router.h"

namespace strongroom::cde {

// The store role, for vaultd: POST and DELETE /v1/stored-cards. Everything outlives `router`.
void add_store_routes(http::Router& router, ConnectorService& service, Profile profile,
                      const Clock& clock);

// The pay role, for gatewayd: authorizations, sales, transactions. A settling repeat may come with
// a ticket that ended up to a day ago, a look-up with one of up to thirty days (design section 1).
void add_pay_routes(http::Router& router, ConnectorService& service, const Clock& clock);

// For an operator at the admin socket: POST /v1/connector-accounts {"merchant","account_id"?,
// "credential"} -> {"connector","account_id","merchant","account"}. Both roles can read what it
// gives.
void add_account_routes(http::Router& router, ConnectorService& service,
                        std::string_view connector);

}  // namespace strongroom::cde

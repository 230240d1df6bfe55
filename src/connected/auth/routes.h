// authd's routes: tickets for services, keys for merchants' admins, everything for operators at the
// admin socket.
#pragma once

#include "audit/denials.h"
#include "connected/auth/authority.h"
#include "connected/auth/directory.h"
#include "connected/auth/ticket_office.h"
#include "http/router.h"

namespace strongroom::connected::auth {

// What the handlers call; everything outlives the routers.
struct Parts {
  const bool& serving;  // false until open intents are closed: every request gets 503
  Directory& directory;
  Authority& authority;
  TicketOffice& tickets;
  audit::Denials& denials;
};

// For the listener of services: POST /v1/tickets (edged, strongroom-cards and, in the demo profile,
// loadgen; always against a credential), answered with the JWS as application/jwt and its
// merchant as Strongroom-Merchant, for edged, which reads no ticket; and, through
// edged with a ticket of scope api-keys:*, GET and POST /v1/api-keys and DELETE /v1/api-keys/{id}
// of the ticket's merchant. Every denial is audited before it is answered.
void add_service_routes(http::Router& router, Parts parts, Profile profile);

// For the admin socket: POST and GET /v1/merchants, GET /v1/merchants/{id}, POST and GET
// /v1/api-keys (?merchant=), POST /v1/api-keys/{id}/revoke.
void add_operator_routes(http::Router& router, Parts parts);

}  // namespace strongroom::connected::auth

// gatewayd's routes: payments for merchants, through edged; accounts for operators, at the admin
// socket.
#pragma once

#include "audit/denials.h"
#include "base/clock.h"
#include "connected/gateway/account_desk.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/payment_service.h"
#include "connected/gateway/payment_store.h"
#include "http/router.h"

namespace strongroom::connected::gateway {

// What the handlers call; everything outlives the routers.
struct RouteParts {
  const bool& serving;  // false until what an earlier run left is taken over: 503
  PaymentService& payments;
  PaymentStore& store;
  AccountStore& accounts;
  AccountDesk& desk;
  audit::Denials& denials;
};

// For the listener of services, edged with a ticket: POST and GET /v1/payments, GET
// /v1/payments/{id}, POST /v1/payments/{id}/capture|void|refunds, GET
// /v1/payments/{id}/refunds/{refund} (scope payments:write; reading payments:read), GET
// /v1/connector-accounts (payments:read). Every denial is audited before it is answered.
void add_service_routes(http::Router& router, RouteParts parts);

// For the admin socket: POST /v1/connector-accounts, GET /v1/connector-accounts?merchant=.
void add_operator_routes(http::Router& router, RouteParts parts);

}  // namespace strongroom::connected::gateway

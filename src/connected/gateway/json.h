// The JSON of payments, refunds and accounts, as the public API shows them.
#pragma once

#include <string>

#include "connected/gateway/payment_service.h"
#include "connected/gateway/payment_store.h"
#include "connected/gateway/records.h"

namespace strongroom::connected::gateway {

// {"id":"pay_...","object":"payment","status","amount","amount_captured","amount_refunded",
// "currency","token","connector","connector_account","reference","metadata","decline","created_at",
// "updated_at"}
[[nodiscard]] std::string to_json(const PaymentRow& payment);
// {"object":"list","data":[...],"next":"<id to give as `after`>"|null}
[[nodiscard]] std::string to_json(const PaymentPage& page);
// {"id":"re_...","object":"refund","payment","status":"pending"|"unknown"|"succeeded"|"declined"|
// "failed","amount","currency","decline","created_at","updated_at"}
[[nodiscard]] std::string refund_json(const Done& done);
// {"id":"acc_...","object":"connector_account","connector","created_at"}; never what is sealed.
[[nodiscard]] std::string to_json(const Account& account);
[[nodiscard]] std::string to_json(const std::vector<Account>& accounts);

}  // namespace strongroom::connected::gateway

// Members in the order in which the documentation names them.
#include "connected/auth/json.h"

#include <string>

#include "base/clock.h"

namespace strongroom::connected::auth {
namespace {

boost::json::value time_or_null(const std::optional<std::int64_t>& time_us) {
  if (!time_us) return nullptr;
  return boost::json::value(rfc3339(*time_us));
}

boost::json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return boost::json::value(text);
}

}  // namespace

boost::json::object to_json(const Merchant& merchant) {
  return {{"id", merchant.id},
          {"object", "merchant"},
          {"name", merchant.name},
          {"status", merchant.active ? "active" : "suspended"},
          {"created_at", rfc3339(merchant.created_at_us)}};
}

boost::json::object to_json(const ApiKey& key) {
  return {{"id", key.id},
          {"object", "api_key"},
          {"merchant", key.merchant},
          {"prefix", key.prefix},
          {"role", name(key.role)},
          {"name", key.name},
          {"created_at", rfc3339(key.created_at_us)},
          {"created_by", text_or_null(key.created_by)},
          {"revoked_at", time_or_null(key.revoked_at_us)},
          {"last_used_at", time_or_null(key.last_used_at_us)}};
}

}  // namespace strongroom::connected::auth

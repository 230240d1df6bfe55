// Requests to authd's admin socket, and its answers as tables.
#include "apps/strongroom/directory_commands.h"

#include <fmt/core.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <span>
#include <string_view>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/listing.h"

namespace strongroom::tool {
namespace {

constexpr std::string_view kDaemon = "authd";
constexpr std::array<std::string_view, 4> kMerchantColumns{"id", "name", "status", "created_at"};
constexpr std::array<std::string_view, 8> kKeyColumns{
    "id", "prefix", "role", "name", "created_at", "created_by", "last_used_at", "revoked_at"};

std::expected<boost::json::object, int> ask(const Context& context, http::Method method,
                                            std::string_view target,
                                            const boost::json::object& body = {}) {
  const std::string text = body.empty() ? std::string() : boost::json::serialize(body);
  return ask_admin(context, kDaemon, method, target, text);
}

int print(const Context& context, const std::expected<boost::json::object, int>& answer,
          std::span<const std::string_view> columns) {
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
  } else {
    for (const std::string_view column : columns) {
      fmt::print("{:<13} {}\n", column, member(*answer, column));
    }
  }
  return kOk;
}

}  // namespace

int create_merchant(const Context& context, const std::string& name) {
  const auto answer = ask(context, http::Method::post, "/v1/merchants", {{"name", name}});
  return print(context, answer, kMerchantColumns);
}

int list_merchants(const Context& context) {
  return print_list(context, kDaemon, "/v1/merchants", kMerchantColumns);
}

int create_api_key(const Context& context, const std::string& merchant, const std::string& name,
                   const std::string& role) {
  const auto answer = ask(context, http::Method::post, "/v1/api-keys",
                          {{"merchant", merchant}, {"name", name}, {"role", role}});
  const int status = print(context, answer, kKeyColumns);
  if (status == kOk && !context.json) {
    fmt::print("\n{}\nThis is the key. It is not kept and will not be shown again.\n",
               member(*answer, "key"));
  }
  return status;
}

int list_api_keys(const Context& context, const std::string& merchant) {
  return print_list(context, kDaemon, fmt::format("/v1/api-keys?merchant={}", merchant),
                    kKeyColumns);
}

int revoke_api_key(const Context& context, const std::string& id) {
  const auto answer = ask(context, http::Method::post, fmt::format("/v1/api-keys/{}/revoke", id));
  return print(context, answer, kKeyColumns);
}

}  // namespace strongroom::tool

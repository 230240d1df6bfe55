// Requests to authd's admin socket, and its answers as tables.
#include "apps/strongroom/directory_commands.h"

#include <fmt/core.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/table.h"

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

std::vector<std::string> cells(const boost::json::object& object,
                               std::span<const std::string_view> columns) {
  std::vector<std::string> row;
  for (const std::string_view column : columns) row.push_back(member(object, column));
  return row;
}

// Follows the pages to the end.
int list(const Context& context, const std::string& path,
         std::span<const std::string_view> columns) {
  boost::json::array all;
  std::string target = path;
  while (true) {
    auto page = ask(context, http::Method::get, target);
    if (!page) return page.error();
    for (boost::json::value& item : (*page)["data"].as_array()) all.push_back(std::move(item));
    const std::string next = member(*page, "next");
    if (next == "-") break;
    target = fmt::format("{}{}after={}", path, path.contains('?') ? '&' : '?', next);
  }
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(all));
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{{columns.begin(), columns.end()}};
  for (const boost::json::value& item : all) rows.push_back(cells(item.as_object(), columns));
  fmt::print("{}", table(rows));
  return kOk;
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
  return list(context, "/v1/merchants", kMerchantColumns);
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
  return list(context, fmt::format("/v1/api-keys?merchant={}", merchant), kKeyColumns);
}

int revoke_api_key(const Context& context, const std::string& id) {
  const auto answer = ask(context, http::Method::post, fmt::format("/v1/api-keys/{}/revoke", id));
  return print(context, answer, kKeyColumns);
}

}  // namespace strongroom::tool

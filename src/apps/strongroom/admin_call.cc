// The tool's client: one request each.
#include "apps/strongroom/admin_call.h"

#include <fmt/core.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <vector>

#include "base/encoding.h"

namespace strongroom::tool {
namespace {

// What goes over an admin socket is as good as the command itself: another user who put a socket of
// his own in the daemon's place shall not have it. Root's daemons may be anybody's.
std::vector<uid_t> trusted_users() {
  if (::geteuid() == 0) return {};
  return {0, ::geteuid()};
}

// What in the request each error is about: "#/name" as "name".
std::string fields_of(const boost::json::object& problem) {
  std::string fields;
  const boost::json::value* errors = problem.if_contains("errors");
  if (errors == nullptr || !errors->is_array()) return fields;
  for (const boost::json::value& error : errors->get_array()) {
    if (!error.is_object()) continue;
    std::string pointer = member(error.get_object(), "pointer");
    if (pointer.starts_with("#/")) pointer.erase(0, 2);
    fields += (fields.empty() ? "" : ", ") + pointer;
  }
  return fields;
}

// Why the daemon refused, as one line.
std::string reason(const boost::json::object& problem) {
  std::string text = member(problem, "title");
  if (const std::string detail = member(problem, "detail"); detail != "-") {
    if (text.ends_with('.')) text.pop_back();
    text += ": " + detail;
  }
  if (const std::string fields = fields_of(problem); !fields.empty()) text += " (" + fields + ")";
  return text;
}

}  // namespace

Result<http::ClientResponse> call_admin(const std::string& directory, std::string_view instance,
                                        http::Method method, std::string_view target,
                                        std::string_view body) {
  http::ClientRequest request{.method = method, .target = target, .body = as_bytes(body)};
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  return http::send_once({.host = "localhost",
                          .unix_path = fmt::format("{}/run/{}.admin.sock", directory, instance),
                          .unix_users = trusted_users()},
                         request);
}

std::string member(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return "-";
  return std::string(value->get_string());
}

std::expected<boost::json::object, int> ask_admin(const Context& context, std::string_view instance,
                                                  http::Method method, std::string_view target,
                                                  std::string_view body) {
  const auto response = call_admin(context.directory, instance, method, target, body);
  if (!response) {
    const bool stranger = response.error().code() == ErrorCode::permission_denied;
    const std::string why = stranger ? fmt::format("another user listens in {}'s place", instance)
                                     : fmt::format("{} does not answer", instance);
    return std::unexpected(failed(kNotReachable, fmt::format("{}: {}", context.directory, why)));
  }
  boost::system::error_code error;
  const boost::json::value answer = boost::json::parse(response->body, error);
  if (error || !answer.is_object()) {
    return std::unexpected(failed(kNotReachable, fmt::format("{}: answer is not JSON", instance)));
  }
  if (response->status / 100 == 2) return answer.get_object();
  const int status = response->status == 503 ? kNotReachable : kUsage;
  return std::unexpected(failed(status, reason(answer.get_object())));
}

}  // namespace strongroom::tool

// RFC 9112 section 4 and 6, one fixed order of fields.
#include "http/internal/response_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <iterator>

#include "http/internal/ascii.h"

namespace strongroom::http::internal {
namespace {

bool fields_are_printable(const Response& response) noexcept {
  return is_printable(response.content_type) &&
         std::ranges::all_of(response.headers, [](const auto& field) {
           return is_printable(field.first) && is_printable(field.second);
         });
}

bool has_field(const Response& response, std::string_view lower_case_name) noexcept {
  return std::ranges::any_of(response.headers, [&](const auto& field) {
    return equals_lower_case(field.first, lower_case_name);
  });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string response_text(Response response, Method method, std::string_view request_id,
                          bool close) {
  if (!fields_are_printable(response)) {
    response = problem_response({.type = wire::ProblemType::internal}, request_id);
  }
  std::string out;
  out.reserve(512 + response.body.size());
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status,
                 std::string_view(reason.data(), reason.size()));
  if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
  // RFC 9110 section 8.6: a 204 has no length.
  if (response.status != 204) {
    append_field(out, "Content-Length", fmt::format_int(response.body.size()).c_str());
  }
  append_field(out, "Strongroom-Request-Id", request_id);
  if (!has_field(response, "cache-control")) append_field(out, "Cache-Control", "no-store");
  append_field(out, "X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
  if (close) append_field(out, "Connection", "close");
  out.append("\r\n");
  if (method != Method::head && response.status != 204) out.append(response.body);
  return out;
}

}  // namespace strongroom::http::internal

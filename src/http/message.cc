// Requests and responses as values.
#include "http/message.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/try.h"
#include "http/internal/ascii.h"

namespace strongroom::http {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// application/x-www-form-urlencoded: '+' is a space, %XX a byte. Empty when ill-encoded.
std::optional<std::string> form_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

bool is_lower_hex(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_zeros(std::string_view text) noexcept {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

std::string_view to_string(Method method) noexcept {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::delete_:
      return "DELETE";
  }
  SR_CHECK(false);
}

std::string_view Head::header(std::string_view lower_case_name) const noexcept {
  for (const HeaderField& field : fields) {
    if (internal::equals_lower_case(field.name, lower_case_name)) return field.value;
  }
  return {};
}

std::optional<std::string> Request::query_parameter(std::string_view name) const {
  std::string_view rest = query();
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return form_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
  }
  return std::nullopt;
}

bool Request::is_json() const noexcept {
  std::string_view type = header("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return internal::equals_lower_case(type, "application/json");
}

std::string_view Request::parameter(std::size_t index) const noexcept {
  SR_CHECK(index < parameter_count_);
  return parameters_[index];
}

std::string_view Request::traceparent() const noexcept {
  const std::string_view text = header("traceparent");
  if (text.size() != 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  const bool shaped = text.starts_with("00") && is_lower_hex(trace) && is_lower_hex(parent) &&
                      is_lower_hex(text.substr(53));
  return shaped && !is_zeros(trace) && !is_zeros(parent) ? text : std::string_view{};
}

std::expected<std::size_t, wire::Problem> page_limit(const Request& request, std::size_t most) {
  const std::optional<std::string> text = request.query_parameter("limit");
  if (!text) return most;
  std::size_t limit = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, limit);
  if (error == std::errc{} && rest == end && limit >= 1 && limit <= most) return limit;
  // Every listing of ours gives 100 at most.
  return std::unexpected(
      wire::Problem{wire::ProblemType::invalid_value, "takes a number from 1 to 100", "?limit"});
}

Response json_response(int status, std::string body) {
  return {
      .status = status, .content_type = "application/json", .headers = {}, .body = std::move(body)};
}

Response problem_response(const wire::Problem& problem, std::string_view request_id) {
  Response response{.status = problem.status(),
                    .content_type = "application/problem+json",
                    .headers = {},
                    .body = wire::to_json(problem, request_id)};
  if (problem.retry_after_s) {
    response.headers.emplace_back("Retry-After", std::to_string(*problem.retry_after_s));
  }
  return response;
}

}  // namespace strongroom::http

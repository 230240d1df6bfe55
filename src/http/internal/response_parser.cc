// Responses: strict where it costs nothing, bounded everywhere.
#include "http/internal/response_parser.h"

#include <algorithm>

#include "http/internal/ascii.h"

namespace strongroom::http::internal {
namespace {

namespace beast_http = boost::beast::http;

constexpr std::size_t kFieldsMax = 128;
constexpr std::uint32_t kHeadBytesMax = 16 << 10;

}  // namespace

ResponseParser::ResponseParser(std::size_t body_bytes_max, bool to_head)
    : body_bytes_max_(body_bytes_max) {
  header_limit(kHeadBytesMax);
  body_limit(body_bytes_max);
  eager(true);
  skip(to_head);
}

std::optional<std::size_t> ResponseParser::take(std::string_view bytes) {
  ParseError error;
  const std::size_t used = put({bytes.data(), bytes.size()}, error);
  if (error && error != beast_http::error::need_more) return std::nullopt;
  return used;
}

bool ResponseParser::end() {
  ParseError error;
  if (!got_some()) return false;
  put_eof(error);
  return !error && is_done();
}

void ResponseParser::on_response_impl(int status, Text, int version, ParseError& error) {
  response_.status = status;
  if (version != 11) error = beast_http::error::bad_version;
}

void ResponseParser::on_field_impl(beast_http::field, Text name, Text value, ParseError& error) {
  if (response_.headers.size() == kFieldsMax) {
    error = beast_http::error::header_limit;
    return;
  }
  std::string lower(name.data(), name.size());
  std::ranges::transform(lower, lower.begin(), &to_lower);
  response_.headers.emplace_back(std::move(lower), std::string(value.data(), value.size()));
}

std::size_t ResponseParser::on_body_impl(Text body, ParseError& error) {
  if (body.size() > body_bytes_max_ - response_.body.size()) {
    error = beast_http::error::body_limit;
    return 0;
  }
  response_.body.append(body.data(), body.size());
  return body.size();
}

std::size_t ResponseParser::on_chunk_body_impl(std::uint64_t, Text body, ParseError& error) {
  return on_body_impl(body, error);
}

}  // namespace strongroom::http::internal

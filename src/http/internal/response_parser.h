// A response from its bytes: Beast's parser, with our bounds on fields and body.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <optional>
#include <string_view>

#include "http/client.h"

namespace strongroom::http::internal {

class ResponseParser final : public boost::beast::http::basic_parser<false> {
 public:
  // To a HEAD no body comes, whatever the fields say.
  ResponseParser(std::size_t body_bytes_max, bool to_head);

  // Takes what it can of `bytes` and says how much; the rest must be given again with more behind
  // it. Empty: not a response, or beyond the bounds.
  [[nodiscard]] std::optional<std::size_t> take(std::string_view bytes);
  // The peer closed in order. False: the response is not whole.
  [[nodiscard]] bool end();
  // REQUIRES: is_done().
  [[nodiscard]] ClientResponse& response() noexcept { return response_; }

 private:
  using Text = boost::beast::string_view;
  using ParseError = boost::system::error_code;
  void on_request_impl(boost::beast::http::verb, Text, Text, int, ParseError&) override {}
  void on_response_impl(int status, Text reason, int version, ParseError& error) override;
  void on_field_impl(boost::beast::http::field, Text name, Text value, ParseError& error) override;
  void on_header_impl(ParseError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ParseError&) override {}
  std::size_t on_body_impl(Text body, ParseError& error) override;
  void on_chunk_header_impl(std::uint64_t, Text, ParseError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t left, Text body, ParseError& error) override;
  void on_finish_impl(ParseError&) override {}

  std::size_t body_bytes_max_;
  ClientResponse response_;
};

}  // namespace strongroom::http::internal

// The head of a request. Two readings must agree: a pass of our own over the raw lines refuses what
// RFC 9112 only tolerates, then Beast's parser takes the fields apart.
#include "http/head.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/version.hpp>
#include <cstdint>
#include <limits>

#include "base/try.h"
#include "http/internal/ascii.h"

namespace strongroom::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::system::error_code;
using wire::Problem;
using wire::ProblemType;

constexpr std::uint64_t kContentLengthMax = std::uint64_t{1} << 40;  // far beyond any route's limit

std::string_view view(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

// Hands Beast's findings to a Head.
class Parser final : public beast_http::basic_parser<true> {
 public:
  Parser(std::size_t fields_max, Head& head) : fields_max_(fields_max), head_(head) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // the caller bounds the bytes
    skip(true);                                               // the caller reads the body
  }
  std::string_view method;
  std::string_view target;
  bool too_many_fields = false;

 private:
  void on_request_impl(beast_http::verb, boost::beast::string_view method_text,
                       boost::beast::string_view target_text, int version,
                       error_code& error) override {
    method = view(method_text);
    target = view(target_text);
    if (version != 11) error = beast_http::error::bad_version;
  }
  void on_field_impl(beast_http::field, boost::beast::string_view name,
                     boost::beast::string_view value, error_code& error) override {
    too_many_fields = head_.fields.size() == fields_max_;
    if (too_many_fields) {
      error = beast_http::error::header_limit;
      return;
    }
    head_.fields.push_back({view(name), view(value)});
  }
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view, error_code&) override {
    return 0;
  }
  void on_finish_impl(error_code&) override {}

  std::size_t fields_max_;
  Head& head_;
};

std::unexpected<Problem> refuse(ProblemType type, wire::Literal detail = {}) {
  return std::unexpected(Problem{.type = type, .detail = detail});
}

// Every line ends in CRLF, holds tabs and printable ASCII only, and does not begin with a blank (a
// folded line, RFC 9112 section 5.2). Bare CR and LF are what request smuggling is made of.
bool lines_are_strict(std::string_view bytes) noexcept {
  bool line_start = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (c == '\r') {
      if (i + 1 == bytes.size() || bytes[i + 1] != '\n') return false;
      ++i;
      line_start = true;
      continue;
    }
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;  // bytes from 0x80 on are below zero
    if (line_start && (c == ' ' || c == '\t')) return false;
    line_start = false;
  }
  return true;
}

std::optional<Method> parse_method(std::string_view text) noexcept {
  for (const Method method :
       {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::delete_}) {
    if (text == to_string(method)) return method;
  }
  return std::nullopt;
}

// Characters of a path segment (RFC 3986 section 3.3), and '/'. Those that the section leaves out
// are read differently by different programs.
bool is_path_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~!$&'()*+,;=:@%/").find(c) != std::string_view::npos;
}

// Every '%' begins an escape (RFC 3986 section 2.1).
bool escapes_are_whole(std::string_view text) noexcept {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    const std::string_view digits = text.substr(at + 1, 2);
    const bool hexadecimal = std::ranges::all_of(digits, [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    if (digits.size() < 2 || !hexadecimal) return false;
  }
  return true;
}

// No empty segment but the last, and no dot segments: nobody on the way may read the path as
// another.
bool segments_are_plain(std::string_view path) noexcept {
  std::string_view rest = path.substr(1);
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment == "." || segment == "..") return false;
    if (slash == std::string_view::npos) return true;
    if (segment.empty()) return false;
    rest.remove_prefix(slash + 1);
  }
}

bool split_target(std::string_view target, Head& head) noexcept {
  if (!target.starts_with('/')) return false;  // absolute, authority and asterisk form
  const std::size_t question = target.find('?');
  head.path = target.substr(0, question);
  head.query = question == std::string_view::npos ? "" : target.substr(question + 1);
  // Brackets are not RFC 3986's, but URLs of browsers and SDKs bring them as they are (WHATWG URL,
  // section 1.3: the query percent-encode set).
  const auto is_query_character = [](char c) {
    return is_path_character(c) || c == '?' || c == '[' || c == ']';
  };
  return std::ranges::all_of(head.path, is_path_character) &&
         std::ranges::all_of(head.query, is_query_character) && segments_are_plain(head.path) &&
         escapes_are_whole(target);
}

// A plain number: no sign, no list, no blanks (RFC 9110 section 8.6 tolerates a list of equal
// ones).
std::optional<std::size_t> parse_content_length(std::string_view text) noexcept {
  if (text.empty() || text.size() > 13) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value > kContentLengthMax) return std::nullopt;
  return value;
}

// Who asks, for whom, and how the body is read: of two such fields, two readers might believe
// different ones, so nobody may send two (RFC 9110 section 5.3).
constexpr std::array<std::string_view, 6> kSingleFields{
    "authorization",     "content-type",      "idempotency-key",
    "strongroom-ticket", "strongroom-source", "strongroom-request-id"};

// How often each field came that frames the message, names its place or is decided by.
struct Seen {
  int host = 0;
  int content_length = 0;
  int transfer_encoding = 0;
  std::array<int, kSingleFields.size()> single{};
};

bool came_twice(const HeaderField& field, Seen& seen) noexcept {
  for (std::size_t i = 0; i < kSingleFields.size(); ++i) {
    if (internal::equals_lower_case(field.name, kSingleFields[i])) return ++seen.single[i] > 1;
  }
  return false;
}

std::expected<void, Problem> read_field(const HeaderField& field, Head& head, Seen& seen) {
  using internal::equals_lower_case;
  if (equals_lower_case(field.name, "host")) ++seen.host;
  if (equals_lower_case(field.name, "transfer-encoding")) ++seen.transfer_encoding;
  if (equals_lower_case(field.name, "content-length")) {
    const auto length = parse_content_length(field.value);
    if (!length || ++seen.content_length > 1) {
      return refuse(ProblemType::malformed_request, "Content-Length must be one number");
    }
    head.content_length = *length;
  }
  if (equals_lower_case(field.name, "expect")) {
    if (!equals_lower_case(field.value, "100-continue")) {
      return refuse(ProblemType::expectation_failed);
    }
    head.expects_continue = true;
  }
  if (came_twice(field, seen)) {
    return refuse(ProblemType::malformed_request, "a field came twice that may come once");
  }
  return {};
}

std::expected<void, Problem> read_fields(Head& head) {
  Seen seen;
  for (const HeaderField& field : head.fields) SR_CHECK_OK(read_field(field, head, seen));
  if (seen.host != 1) return refuse(ProblemType::malformed_request, "needs exactly one Host");
  if (seen.transfer_encoding > 0) {
    return seen.content_length > 0 ? refuse(ProblemType::malformed_request)
                                   : refuse(ProblemType::length_required);
  }
  return {};
}

}  // namespace

std::optional<std::size_t> find_head_end(std::string_view bytes, std::size_t scanned) noexcept {
  // The empty line's first LF may lie in what was scanned.
  std::size_t at = scanned < 3 ? 0 : scanned - 3;
  for (;;) {
    at = bytes.find('\n', at);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view next = bytes.substr(at + 1);
    if (next.starts_with('\n')) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
    ++at;
  }
}

std::expected<void, Problem> parse_head(std::string_view bytes, std::size_t fields_max, Head& out) {
  out.fields.clear();
  out.content_length = 0;
  out.expects_continue = false;
  if (!lines_are_strict(bytes)) {
    return refuse(ProblemType::malformed_request,
                  "a head is lines of printable ASCII that end in CRLF");
  }

  Parser parser(fields_max, out);
  error_code error;
  const std::size_t used = parser.put({bytes.data(), bytes.size()}, error);
  if (parser.too_many_fields) return refuse(ProblemType::headers_too_large);
  if (error || used != bytes.size() || !parser.is_header_done()) {
    return refuse(ProblemType::malformed_request);
  }
  const auto method = parse_method(parser.method);
  if (!method) return refuse(ProblemType::method_unknown);
  out.method = *method;
  if (!split_target(parser.target, out)) {
    return refuse(ProblemType::malformed_request,
                  "the target must be an absolute path, percent-encoded where it must be");
  }
  out.close = !parser.keep_alive();
  return read_fields(out);
}

}  // namespace strongroom::http

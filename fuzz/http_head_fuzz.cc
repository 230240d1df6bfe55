// A head that is taken keeps the promises of head.h, and says the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/try.h"
#include "http/head.h"

namespace strongroom::http {
namespace {

constexpr std::size_t kFieldsMax = 64;

std::string write_again(const Head& head) {
  std::string text(to_string(head.method));
  text.append(" ").append(head.path);
  if (!head.query.empty()) text.append("?").append(head.query);
  text.append(" HTTP/1.1\r\n");
  for (const HeaderField& field : head.fields) {
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return text.append("\r\n");
}

void check_promises(std::string_view bytes, const Head& head) {
  SR_CHECK(head.path.starts_with('/'));
  SR_CHECK(head.path.find("//") == std::string_view::npos);
  SR_CHECK(head.path.find("/../") == std::string_view::npos);
  SR_CHECK(head.path.find_first_of("?# \r\n") == std::string_view::npos);
  SR_CHECK(head.fields.size() <= kFieldsMax);
  SR_CHECK(head.header("transfer-encoding").empty());
  SR_CHECK(bytes.find_first_of(std::string_view("\0\x7f\x80\xff", 4)) == std::string_view::npos);
  for (std::size_t at = 0; (at = bytes.find('\n', at)) != std::string_view::npos; ++at) {
    SR_CHECK(at > 0 && bytes[at - 1] == '\r');
  }
}

void check(std::string_view text) {
  const auto end = find_head_end(text, 0);
  for (std::size_t scanned = 0; scanned < text.size() && scanned < (end ? *end : text.size());
       scanned += 7) {
    SR_CHECK(find_head_end(text, scanned) == end);
  }
  const std::string_view bytes = text.substr(0, end.value_or(text.size()));
  Head head;
  if (!parse_head(bytes, kFieldsMax, head)) return;
  SR_CHECK(end.has_value());
  check_promises(bytes, head);
  const std::string again = write_again(head);
  Head second;
  SR_CHECK(parse_head(again, kFieldsMax, second).has_value());
  SR_CHECK(second.path == head.path && second.query == head.query);
  SR_CHECK(second.content_length == head.content_length && second.close == head.close);
  SR_CHECK(second.fields.size() == head.fields.size());
}

}  // namespace
}  // namespace strongroom::http

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::http::check({reinterpret_cast<const char*>(data), size});
  return 0;
}

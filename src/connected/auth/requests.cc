// Strict parsing of authd's request bodies.
#include "connected/auth/requests.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <string_view>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "connected/auth/api_key.h"
#include "wire/json.h"

namespace strongroom::connected::auth {
namespace {

using wire::ObjectReader;
using wire::ProblemType;

static_assert(kNameBytesMax == 100);
constexpr wire::TextLength kNameLength{
    .min = 1, .max = kNameBytesMax, .told = "takes 1 to 100 bytes"};
constexpr wire::TextLength kIdLength{.min = 1, .max = 64};

// A name is shown to people and kept in clear: it must not smuggle a card number or a terminal's
// control sequence.
std::string read_name(ObjectReader& reader) {
  const std::string_view name = reader.text("#/name", kNameLength);
  if (looks_like_pan(name)) {
    reader.refuse({.type = ProblemType::looks_like_card_data, .pointer = "#/name"});
  }
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    reader.refuse({.type = ProblemType::invalid_value,
                   .detail = "control characters are not allowed",
                   .pointer = "#/name"});
  }
  return std::string(name);
}

Role read_role(ObjectReader& reader) {
  const auto text = reader.text_or_none("#/role", kIdLength);
  if (!text) return Role::merchant_admin;
  const auto role = parse_role(*text);
  if (!role && reader.ok()) {
    reader.refuse({.type = ProblemType::invalid_value,
                   .detail = "must be merchant_admin, merchant_user or tokenizer",
                   .pointer = "#/role"});
  }
  return role.value_or(Role::merchant_user);
}

std::string read_merchant(ObjectReader& reader) {
  const std::string_view id = reader.text("#/merchant", kIdLength);
  if (reader.ok() && !is_public_id(id, kMerchantPrefix)) {
    reader.refuse({.type = ProblemType::invalid_value,
                   .detail = "must be a merchant's id",
                   .pointer = "#/merchant"});
  }
  return std::string(id);
}

// Parses `body` and gives its members to `read`, which returns the parsed form.
template <class Read>
auto parse_body(std::span<const std::byte> body, Read read)
    -> Answer<decltype(read(std::declval<ObjectReader&>()))> {
  boost::json::monotonic_resource memory;
  SR_TRY(const boost::json::value document, wire::parse_strict(as_text(body), &memory));
  SR_TRY(const boost::json::object* object, wire::as_object(document));
  ObjectReader reader(*object);
  auto parsed = read(reader);
  if (const auto problem = reader.finish()) return std::unexpected(*problem);
  return parsed;
}

}  // namespace

Answer<std::string> parse_merchant_request(std::span<const std::byte> body) {
  return parse_body(body, read_name);
}

Answer<KeyRequest> parse_key_request(std::span<const std::byte> body,
                                     const std::optional<std::string>& merchant) {
  return parse_body(body, [&](ObjectReader& reader) {
    KeyRequest request;
    request.merchant = merchant ? *merchant : read_merchant(reader);
    request.name = read_name(reader);
    request.role = read_role(reader);
    return request;
  });
}

}  // namespace strongroom::connected::auth

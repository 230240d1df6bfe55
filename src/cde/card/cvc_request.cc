// `{"cvc":"737"}`
#include "cde/card/cvc_request.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "cde/card/card_fields.h"
#include "cde/card/secret_resource.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kHead = R"({"cvc":")", kTail = R"("})";

std::expected<Cvc, Problem> read(const boost::json::object& body) {
  wire::ObjectReader reader(body);
  const std::string_view digits = reader.text("#/cvc", {3, 4});
  if (const auto problem = reader.finish("cvc")) return std::unexpected(*problem);
  Result<Cvc> cvc = Cvc::parse(digits);
  if (cvc) return *std::move(cvc);
  if (cvc.error().code() == ErrorCode::exhausted) return std::unexpected(kCardMemoryFull);
  return std::unexpected(
      Problem{ProblemType::invalid_value, "must have three or four digits", "#/cvc"});
}

}  // namespace

Result<SecretBytes> cvc_request_json(const Cvc& cvc) {
  const std::string_view digits = cvc.reveal(CvcReveal::grant());
  SR_TRY(SecretBytes json, SecretBytes::allocate(kHead.size() + digits.size() + kTail.size()));
  auto out = std::ranges::copy(as_bytes(kHead), json.reveal().begin()).out;
  out = std::ranges::copy(as_bytes(digits), out).out;
  std::ranges::copy(as_bytes(kTail), out);
  return json;
}

std::expected<Cvc, Problem> parse_cvc_request(std::span<const std::byte> body) {
  auto memory = SecretResource::create(body.size() * 4 + 2048);
  if (!memory) return std::unexpected(kCardMemoryFull);
  try {
    SR_TRY(const auto value, wire::parse_strict(as_text(body), boost::json::storage_ptr(&*memory)));
    SR_TRY(const boost::json::object* object, wire::as_object(value));
    return read(*object);
  } catch (const std::bad_alloc&) {
    return std::unexpected(kCardMemoryFull);
  }
}

}  // namespace strongroom::cde

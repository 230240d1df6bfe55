// Reading a request to store a card at its processor.
#include "cde/card/stored_card_request.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "base/pan_scan.h"
#include "base/try.h"
#include "cde/card/secret_resource.h"
#include "wire/json.h"
#include "wire/sealed_head.h"

namespace strongroom::cde {
namespace {

using wire::Problem;
using wire::ProblemType;
template <class T>
using Parsed = std::expected<T, Problem>;

bool is_printable(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

Parsed<StoredCardRequest> read(const boost::json::object& body, Profile profile) {
  wire::ObjectReader reader(body);
  const auto account = reader.text("#/account", {1, wire::kSealedTextBytesMax});
  const auto key = reader.text("#/idempotency_key", {1, kIdempotencyKeyBytesMax});
  const boost::json::object* card = reader.object("#/card");
  if (!is_printable(key)) {
    reader.refuse({ProblemType::invalid_value, "must be printable ASCII", "#/idempotency_key"});
  }
  if (looks_like_pan(key)) {
    reader.refuse({ProblemType::looks_like_card_data, "a key must not hold a card number",
                   "#/idempotency_key"});
  }
  if (auto problem = reader.finish()) return std::unexpected(*problem);
  SR_TRY(CardFields fields, read_card_fields(*card, profile, std::nullopt));
  return StoredCardRequest{std::string(account), std::string(key), std::move(fields)};
}

}  // namespace

Parsed<StoredCardRequest> parse_stored_card_request(std::span<const std::byte> body,
                                                    Profile profile) {
  auto memory = SecretResource::create(body.size() * 4 + 2048);
  if (!memory) return std::unexpected(kCardMemoryFull);
  try {
    SR_TRY(const auto value, wire::parse_strict(as_text(body), boost::json::storage_ptr(&*memory)));
    SR_TRY(const boost::json::object* object, wire::as_object(value));
    return read(*object, profile);
  } catch (const std::bad_alloc&) {
    return std::unexpected(kCardMemoryFull);
  }
}

}  // namespace strongroom::cde

// Reading a token request. The order of the checks is the order in which a client mends them: form,
// members, the card, the rest.
#include "cde/card/token_request.h"

#include <boost/json/object.hpp>
#include <boost/json/serializer.hpp>
#include <new>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/pan_scan.h"
#include "base/sensitive_member.h"
#include "base/try.h"
#include "cde/card/card_fields.h"
#include "cde/card/secret_resource.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

using wire::ObjectReader;
using wire::Problem;
using wire::ProblemType;
template <class T>
using Parsed = std::expected<T, Problem>;

// Keys and values of metadata are texts of bounded size, and none may look like a card number.
std::optional<Problem> check_metadata(const boost::json::object& metadata) {
  if (metadata.size() > kMetadataMembersMax) {
    return Problem{ProblemType::invalid_value, "at most 20 members", "#/metadata"};
  }
  for (const auto& member : metadata) {
    if (!member.value().is_string()) {
      return Problem{ProblemType::wrong_type, "every value must be a string", "#/metadata"};
    }
    const std::string_view key = member.key();
    const std::string_view value = member.value().get_string();
    if (key.empty() || key.size() > kMetadataKeyBytesMax || value.size() > kMetadataValueBytesMax) {
      return Problem{ProblemType::invalid_value,
                     "keys have 1 to 40 bytes, values at most 500 bytes", "#/metadata"};
    }
    if (is_sensitive_member(key, value)) {
      return Problem{ProblemType::looks_like_card_data,
                     "metadata must not hold verification codes, PINs or tracks", "#/metadata"};
    }
    if (looks_like_pan(key) || looks_like_pan(value)) {
      return Problem{ProblemType::looks_like_card_data, "metadata must not hold card numbers",
                     "#/metadata"};
    }
  }
  return std::nullopt;
}

// The object as text in the arena, without a detour over the heap.
Parsed<SecretBytes> serialize(const boost::json::object& object, std::size_t size_max) {
  auto text = SecretBytes::allocate(size_max);
  if (!text) return std::unexpected(kCardMemoryFull);
  boost::json::serializer serializer;
  serializer.reset(&object);
  const auto bytes = text->reveal();
  const std::size_t size =
      serializer.read(reinterpret_cast<char*>(bytes.data()), bytes.size()).size();
  SR_CHECK(serializer.done());
  text->shrink(size);
  return *std::move(text);
}

// The members as JSON has them, before any of them means something.
struct RawRequest {
  const boost::json::object* card = nullptr;
  std::optional<std::string_view> expires_at;
  std::optional<std::int64_t> usage_limit;
  const boost::json::object* metadata = nullptr;
};

Parsed<RawRequest> read_members(const boost::json::object& body) {
  RawRequest raw;
  ObjectReader request(body);
  raw.card = request.object("#/card");
  raw.expires_at = request.text_or_none("#/expires_at", {20, 35});
  raw.usage_limit = request.integer_or_none("#/usage_limit", 1, kUsageLimitMax);
  raw.metadata = request.object_or_none("#/metadata");
  if (auto problem = request.finish()) return std::unexpected(*problem);
  return raw;
}

Parsed<std::optional<std::int64_t>> parse_expires_at(std::optional<std::string_view> text,
                                                     std::int64_t now_us) {
  if (!text) return std::nullopt;
  const auto time = parse_rfc3339(*text);
  // What is given back has milliseconds, so no more is kept: both name the same instant.
  const std::int64_t time_us = time ? *time - *time % 1'000 : now_us;
  if (time_us <= now_us) {
    return std::unexpected(Problem{ProblemType::invalid_value,
                                   "must be an RFC 3339 time in the future", "#/expires_at"});
  }
  return time_us;
}

Parsed<SecretBytes> parse_metadata(const boost::json::object* metadata, std::size_t body_size) {
  if (metadata == nullptr || metadata->empty()) return SecretBytes();
  if (auto problem = check_metadata(*metadata)) return std::unexpected(*problem);
  // An escape is never longer than six bytes for the one that it stands for.
  return serialize(*metadata, body_size * 6);
}

Parsed<TokenRequest> build(const RawRequest& raw, std::size_t body_size, const CardPolicy& policy) {
  SR_TRY(CardFields card, read_card_fields(*raw.card, policy.profile, policy.now_us));
  SR_TRY(const auto expires_at, parse_expires_at(raw.expires_at, policy.now_us));
  SR_TRY(SecretBytes metadata, parse_metadata(raw.metadata, body_size));
  return TokenRequest{.pan = std::move(card.pan),
                      .expiry = card.expiry,
                      .cvc = std::move(card.cvc),
                      .name = std::move(card.name),
                      .metadata = std::move(metadata),
                      .expires_at_us = expires_at,
                      .usage_limit = raw.usage_limit};
}

}  // namespace

std::expected<TokenRequest, Problem> parse_token_request(std::span<const std::byte> body,
                                                         const CardPolicy& policy) {
  auto memory = SecretResource::create(body.size() * 4 + 2048);
  if (!memory) return std::unexpected(kCardMemoryFull);
  try {
    const auto value = wire::parse_strict(as_text(body), boost::json::storage_ptr(&*memory));
    if (!value) return std::unexpected(value.error());
    const auto object = wire::as_object(*value);
    if (!object) return std::unexpected(object.error());
    const auto raw = read_members(**object);
    if (!raw) return std::unexpected(raw.error());
    return build(*raw, body.size(), policy);
  } catch (const std::bad_alloc&) {
    return std::unexpected(kCardMemoryFull);
  }
}

}  // namespace strongroom::cde

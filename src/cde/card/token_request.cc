// Reading a token request. The order of the checks is the order in which a client mends them: form,
// members, card number, expiry, the rest.
#include "cde/card/token_request.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serializer.hpp>
#include <new>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "cde/card/secret_resource.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

using wire::ObjectReader;
using wire::Problem;
using wire::ProblemType;
template <class T>
using Parsed = std::expected<T, Problem>;

constexpr Problem kArenaFull{
    ProblemType::overloaded, "no memory for another card right now", {}, 1};

Problem problem_of_fault(PanFault fault) {
  switch (fault) {
    case PanFault::not_digits:
      return {ProblemType::invalid_value, "must hold digits only", "#/card/number"};
    case PanFault::length:
      return {ProblemType::card_number_length, "must have 12 to 19 digits", "#/card/number"};
    case PanFault::check_digit:
      return {ProblemType::card_number_check_digit, "the check digit is wrong", "#/card/number"};
    case PanFault::no_memory:
      return kArenaFull;
  }
  std::unreachable();
}

Parsed<Pan> parse_pan(std::string_view digits, Profile profile) {
  auto pan = Pan::parse(digits);
  if (!pan) return std::unexpected(problem_of_fault(pan.error()));
  if (profile == Profile::demo && !pan->is_in_test_range()) {
    return std::unexpected(Problem{ProblemType::invalid_value,
                                   "the demo profile takes test cards only", "#/card/number"});
  }
  if (profile == Profile::production && pan->is_documented_test_number()) {
    return std::unexpected(Problem{ProblemType::invalid_value,
                                   "the production profile takes no test cards", "#/card/number"});
  }
  return *std::move(pan);
}

Parsed<ExpiryDate> parse_expiry(std::int64_t month, std::int64_t year, std::int64_t now_us) {
  const auto expiry = ExpiryDate::create(month, year);
  if (!expiry) {
    return std::unexpected(
        Problem{ProblemType::invalid_value, "must be a year with four digits", "#/card/exp_year"});
  }
  if (expiry->has_passed(now_us)) {
    return std::unexpected(
        Problem{ProblemType::card_expired, "the card has expired", "#/card/exp_year"});
  }
  return *expiry;
}

// What may never be stored after authorization (PCI DSS 3.3.1) has these names, in any case and
// with any separators. A code under another name cannot be told from three digits.
constexpr std::array<std::string_view, 15> kSensitiveNames{
    "cav", "cav2",     "cid",   "csc",    "cvc",    "cvc2",      "cvv",         "cvv2",
    "pin", "pinblock", "track", "track1", "track2", "trackdata", "securitycode"};

bool names_sensitive_data(std::string_view key) noexcept {
  return std::ranges::any_of(kSensitiveNames, [key](std::string_view name) {
    for (const char c : key) {
      if (c == '_' || c == '-' || c == ' ' || c == '.') continue;
      const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (name.empty() || name.front() != lower) return false;
      name.remove_prefix(1);
    }
    return name.empty();
  });
}

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
    if (names_sensitive_data(key)) {
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
  if (!text) return std::unexpected(kArenaFull);
  boost::json::serializer serializer;
  serializer.reset(&object);
  const auto bytes = text->reveal();
  const std::size_t size =
      serializer.read(reinterpret_cast<char*>(bytes.data()), bytes.size()).size();
  SR_CHECK(serializer.done());
  text->shrink(size);
  return *std::move(text);
}

Parsed<SecretBytes> copy_secret(std::string_view text) {
  auto copy = SecretBytes::copy_of(as_bytes(text));
  if (!copy) return std::unexpected(kArenaFull);
  return *std::move(copy);
}

// The members as JSON has them, before any of them means something.
struct RawRequest {
  std::string_view number;
  std::int64_t exp_month = 0;
  std::int64_t exp_year = 0;
  std::optional<std::string_view> cvc;
  std::optional<std::string_view> name;
  std::optional<std::string_view> expires_at;
  std::optional<std::int64_t> usage_limit;
  const boost::json::object* metadata = nullptr;
};

Parsed<RawRequest> read_members(const boost::json::object& body) {
  RawRequest raw;
  ObjectReader request(body);
  const boost::json::object* const card = request.object("#/card");
  raw.expires_at = request.text_or_none("#/expires_at", {20, 35});
  raw.usage_limit = request.integer_or_none("#/usage_limit", 1, kUsageLimitMax);
  raw.metadata = request.object_or_none("#/metadata");
  if (auto problem = request.finish()) return std::unexpected(*problem);

  ObjectReader reader(*card);
  raw.number = reader.text("#/card/number", {0, 4096});  // its own length problem comes later
  raw.exp_month = reader.integer("#/card/exp_month", 1, 12);
  raw.exp_year = reader.integer("#/card/exp_year", 2000, 2099);
  raw.cvc = reader.text_or_none("#/card/cvc", {3, 4});
  raw.name = reader.text_or_none("#/card/name", {1, kNameBytesMax});
  if (auto problem = reader.finish()) return std::unexpected(*problem);
  return raw;
}

Parsed<std::optional<std::int64_t>> parse_expires_at(std::optional<std::string_view> text,
                                                     std::int64_t now_us) {
  if (!text) return std::nullopt;
  const auto time = parse_rfc3339(*text);
  if (!time || *time <= now_us) {
    return std::unexpected(Problem{ProblemType::invalid_value,
                                   "must be an RFC 3339 time in the future", "#/expires_at"});
  }
  return *time;
}

Parsed<TokenRequest> build(const RawRequest& raw, std::size_t body_size, const CardPolicy& policy) {
  auto pan = parse_pan(raw.number, policy.profile);
  if (!pan) return std::unexpected(pan.error());
  const auto expiry = parse_expiry(raw.exp_month, raw.exp_year, policy.now_us);
  if (!expiry) return std::unexpected(expiry.error());
  const auto expires_at = parse_expires_at(raw.expires_at, policy.now_us);
  if (!expires_at) return std::unexpected(expires_at.error());

  TokenRequest request{.pan = *std::move(pan),
                       .expiry = *expiry,
                       .cvc = {},
                       .name = {},
                       .metadata = {},
                       .expires_at_us = *expires_at,
                       .usage_limit = raw.usage_limit};
  if (raw.cvc) {
    auto cvc = Cvc::parse(*raw.cvc);
    if (!cvc) {
      return std::unexpected(cvc.error().code() == ErrorCode::exhausted
                                 ? kArenaFull
                                 : Problem{ProblemType::invalid_value,
                                           "must have three or four digits", "#/card/cvc"});
    }
    request.cvc = *std::move(cvc);
  }
  if (raw.name) {
    if (looks_like_pan(*raw.name)) {
      return std::unexpected(Problem{ProblemType::looks_like_card_data,
                                     "a name must not hold a card number", "#/card/name"});
    }
    auto name = copy_secret(*raw.name);
    if (!name) return std::unexpected(name.error());
    request.name = *std::move(name);
  }
  if (raw.metadata != nullptr && !raw.metadata->empty()) {
    if (auto problem = check_metadata(*raw.metadata)) return std::unexpected(*problem);
    // An escape is never longer than six bytes for the one that it stands for.
    auto metadata = serialize(*raw.metadata, body_size * 6);
    if (!metadata) return std::unexpected(metadata.error());
    request.metadata = *std::move(metadata);
  }
  return request;
}

}  // namespace

std::expected<TokenRequest, Problem> parse_token_request(std::span<const std::byte> body,
                                                         const CardPolicy& policy) {
  auto memory = SecretResource::create(body.size() * 4 + 2048);
  if (!memory) return std::unexpected(kArenaFull);
  try {
    const auto value = wire::parse_strict(as_text(body), boost::json::storage_ptr(&*memory));
    if (!value) return std::unexpected(value.error());
    const auto object = wire::as_object(*value);
    if (!object) return std::unexpected(object.error());
    const auto raw = read_members(**object);
    if (!raw) return std::unexpected(raw.error());
    return build(*raw, body.size(), policy);
  } catch (const std::bad_alloc&) {
    return std::unexpected(kArenaFull);
  }
}

}  // namespace strongroom::cde

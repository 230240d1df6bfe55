// Strict parsing of gatewayd's request bodies. Free text is kept in clear and shown to people: no
// card numbers, no control characters.
#include "connected/gateway/requests.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <limits>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/sensitive_member.h"
#include "base/try.h"
#include "connected/gateway/ids.h"
#include "wire/json.h"
#include "wire/sealed_head.h"

namespace strongroom::connected::gateway {
namespace {

namespace json = boost::json;
using payments::Initiator;
using wire::Member;
using wire::ObjectReader;
using wire::ProblemType;

constexpr std::int64_t kAmountMax = std::numeric_limits<std::int64_t>::max();
constexpr wire::TextLength kWordLength{.min = 1, .max = 64};
static_assert(kReferenceTextBytesMax == 100);
constexpr wire::TextLength kReferenceLength{
    .min = 1, .max = kReferenceTextBytesMax, .told = "takes 1 to 100 bytes"};
constexpr wire::Literal kAmountTold =
    "takes a whole number of minor units, from 1 to 9223372036854775807";
constexpr wire::TextLength kSealedLength{.min = 1, .max = wire::kSealedTextBytesMax};
constexpr std::string_view kTokenPrefix = "tok_";
constexpr std::string_view kMerchantPrefix = "mer_";

bool has_control(std::string_view text) noexcept {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void check_text(ObjectReader& reader, std::string_view text, Member member) {
  if (looks_like_pan(text)) {
    reader.refuse({.type = ProblemType::looks_like_card_data, .pointer = member.pointer()});
  }
  if (has_control(text)) {
    reader.refuse(
        {ProblemType::invalid_value, "control characters are not allowed", member.pointer()});
  }
}

void refuse_value(ObjectReader& reader, wire::Literal detail, Member member) {
  reader.refuse({ProblemType::invalid_value, detail, member.pointer()});
}

// A token is opaque here; what it must not be is anything but a token.
std::string read_token(ObjectReader& reader) {
  const std::string_view token = reader.text("#/token", kWordLength);
  const bool form = token.starts_with(kTokenPrefix) && token.size() > kTokenPrefix.size() &&
                    std::ranges::all_of(token.substr(kTokenPrefix.size()), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
                    });
  if (looks_like_pan(token)) {
    reader.refuse({.type = ProblemType::looks_like_card_data, .pointer = "#/token"});
  } else if (reader.ok() && !form) {
    refuse_value(reader, "must be a token's id", "#/token");
  }
  return std::string(token);
}

std::optional<payments::Currency> read_currency(ObjectReader& reader) {
  const auto currency = payments::Currency::parse(reader.text("#/currency", kWordLength));
  if (currency) return *currency;
  refuse_value(reader, wire::Literal(currency.error()), "#/currency");
  return std::nullopt;
}

Initiator read_initiator(ObjectReader& reader) {
  const auto text = reader.text_or_none("#/initiator", kWordLength);
  if (!text || *text == name(Initiator::customer)) return Initiator::customer;
  if (*text != name(Initiator::merchant)) {
    refuse_value(reader, "must be customer or merchant", "#/initiator");
  }
  return Initiator::merchant;
}

std::string read_connector(ObjectReader& reader) {
  const auto connector = reader.text_or_none("#/connector", kWordLength);
  if (connector && !wire::is_connector_name(*connector)) {
    refuse_value(reader, "must be a connector's name", "#/connector");
  }
  return std::string(connector.value_or(""));
}

std::string read_account(ObjectReader& reader) {
  const auto account = reader.text_or_none("#/connector_account", kWordLength);
  if (account && looks_like_pan(*account)) {
    reader.refuse({.type = ProblemType::looks_like_card_data, .pointer = "#/connector_account"});
  } else if (account && !wire::is_account_id(*account)) {
    refuse_value(reader, "must be an account's id", "#/connector_account");
  }
  return std::string(account.value_or(""));
}

std::string read_reference(ObjectReader& reader) {
  const auto reference = reader.text_or_none("#/reference", kReferenceLength);
  if (reference) check_text(reader, *reference, "#/reference");
  return std::string(reference.value_or(""));
}

std::string read_metadata(ObjectReader& reader) {
  const json::object* metadata = reader.object_or_none("#/metadata");
  if (metadata == nullptr) return "{}";
  if (metadata->size() > kMetadataMembersMax) {
    refuse_value(reader, "takes at most 20 members", "#/metadata");
  }
  for (const auto& member : *metadata) {
    const json::string* value = member.value().if_string();
    if (value == nullptr) {
      reader.refuse({ProblemType::wrong_type, "every value must be a string", "#/metadata"});
      break;
    }
    const std::string_view key(member.key().data(), member.key().size());
    if (key.empty() || key.size() > kMetadataKeyBytesMax ||
        value->size() > kMetadataValueBytesMax) {
      refuse_value(reader, "keys have 1 to 40 bytes, values at most 500 bytes", "#/metadata");
    }
    if (is_sensitive_member(key, {value->data(), value->size()})) {
      reader.refuse({ProblemType::looks_like_card_data,
                     "must not hold verification codes, PINs or tracks", "#/metadata"});
    }
    check_text(reader, key, "#/metadata");
    check_text(reader, {value->data(), value->size()}, "#/metadata");
  }
  return reader.ok() ? json::serialize(*metadata) : std::string("{}");
}

}  // namespace

Answer<json::value> parse_json_body(std::span<const std::byte> body) {
  if (body.empty()) return json::value(json::object());
  SR_TRY(json::value document, wire::parse_strict(as_text(body), json::storage_ptr()));
  if (const auto object = wire::as_object(document); !object) {
    return std::unexpected(object.error());
  }
  return document;
}

Answer<PaymentRequest> parse_payment_request(const json::value& body) {
  ObjectReader reader(body.get_object());
  const std::int64_t amount = reader.integer("#/amount", 1, kAmountMax, kAmountTold);
  const auto currency = read_currency(reader);
  std::string token = read_token(reader);
  const bool capture = reader.flag_or("#/capture", true);
  const Initiator initiator = read_initiator(reader);
  std::string connector = read_connector(reader);
  std::string account = read_account(reader);
  std::string reference = read_reference(reader);
  std::string metadata = read_metadata(reader);
  constexpr wire::Literal kMembers =
      "takes amount, currency, token, capture, initiator, connector, connector_account, reference"
      " and metadata";
  if (const auto problem = reader.finish(kMembers)) return std::unexpected(*problem);
  return PaymentRequest{.amount = amount,
                        .currency = *currency,
                        .token = std::move(token),
                        .capture = capture,
                        .initiator = initiator,
                        .connector = std::move(connector),
                        .account = std::move(account),
                        .reference = std::move(reference),
                        .metadata = std::move(metadata)};
}

Answer<std::optional<std::int64_t>> parse_change_request(const json::value& body,
                                                         bool takes_amount) {
  ObjectReader reader(body.get_object());
  std::optional<std::int64_t> amount;
  if (takes_amount) amount = reader.integer_or_none("#/amount", 1, kAmountMax, kAmountTold);
  const wire::Literal members = takes_amount ? wire::Literal("takes amount alone")
                                             : wire::Literal("a void's body has no members");
  if (const auto problem = reader.finish(members)) return std::unexpected(*problem);
  return amount;
}

Answer<Account> parse_account_request(const json::value& body) {
  ObjectReader reader(body.get_object());
  const std::string_view merchant = reader.text("#/merchant", kWordLength);
  if (reader.ok() && !is_public_id(merchant, kMerchantPrefix)) {
    refuse_value(reader, "must be a merchant's id", "#/merchant");
  }
  const std::string_view sealed = reader.text("#/account", kSealedLength);
  const auto head = wire::parse_sealed_text(sealed);
  if (reader.ok() && (!head || head->kind != wire::SealedKind::account)) {
    refuse_value(reader, "must be a connector's sealed account", "#/account");
  }
  if (const auto problem = reader.finish()) return std::unexpected(*problem);
  return Account{.id = head->account_id,
                 .merchant = std::string(merchant),
                 .connector = head->connector,
                 .sealed = std::string(sealed)};
}

}  // namespace strongroom::connected::gateway

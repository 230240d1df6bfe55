// The request bodies of gatewayd, checked for their form before anything is looked up.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "connected/gateway/payment_service.h"
#include "connected/gateway/records.h"
#include "connected/gateway/upstream.h"

namespace strongroom::connected::gateway {

inline constexpr std::size_t kReferenceTextBytesMax = 100;
inline constexpr std::size_t kMetadataMembersMax = 20;
inline constexpr std::size_t kMetadataKeyBytesMax = 40;
inline constexpr std::size_t kMetadataValueBytesMax = 500;

// A body as JSON: it must be an object; an empty body is an empty one.
[[nodiscard]] Answer<boost::json::value> parse_json_body(std::span<const std::byte> body);

// {"amount","currency","token","capture"?,"initiator"?,"connector"?,
// "connector_account"?,"reference"?,"metadata"?}.
// Problems: those of ObjectReader; looks_like_card_data in reference or metadata.
[[nodiscard]] Answer<PaymentRequest> parse_payment_request(const boost::json::value& body);

// {"amount"?}: of a capture and of a refund. A void's body has no members: `takes_amount` is false.
[[nodiscard]] Answer<std::optional<std::int64_t>> parse_change_request(
    const boost::json::value& body, bool takes_amount);

// {"merchant","account"}: at the admin socket; `account` is the blob that connectord gave. Its
// created_at is the caller's to fill in.
[[nodiscard]] Answer<Account> parse_account_request(const boost::json::value& body);

}  // namespace strongroom::connected::gateway

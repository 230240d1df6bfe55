// Strong identifiers: 16 bytes with a tag, so that a MerchantId never fits a TokenId. Ids made here
// are UUID version 7 (RFC 9562 section 5.7): they sort by creation time, which keeps index inserts
// local.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom {

template <class Tag>
struct Id {
  std::array<std::byte, 16> bytes{};
  constexpr auto operator<=>(const Id&) const = default;
};

using TokenId = Id<struct TokenIdTag>;          // a card's row; never leaves the vault
using OperationId = Id<struct OperationIdTag>;  // joins an intent with its outcome
using EntryId = Id<struct EntryIdTag>;          // `uid` of an audit entry
using RequestId = Id<struct RequestIdTag>;  // one HTTP request, through every service it reaches

// A UUID v7 of `unix_ms` and ten random bytes (74 bits of them are used).
[[nodiscard]] std::array<std::byte, 16> uuid_v7(std::uint64_t unix_ms,
                                                std::span<const std::byte, 10> random) noexcept;
// Lower-case text of 36 characters (RFC 9562 section 4).
[[nodiscard]] std::string uuid_text(std::span<const std::byte, 16> bytes);
// invalid_argument unless `text` is exactly the form that uuid_text writes.
[[nodiscard]] Result<std::array<std::byte, 16>> parse_uuid(std::string_view text) noexcept;

}  // namespace strongroom

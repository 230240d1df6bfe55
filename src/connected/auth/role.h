// Roles of a merchant's API keys, and what each may do. (The platform's roles belong to people.)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace strongroom::connected::auth {

enum class Role : std::uint8_t {
  merchant_admin,  // everything of the own merchant
  merchant_user,   // reads
  tokenizer,       // takes cards and nothing else: for a till or a web shop
};

[[nodiscard]] std::string_view name(Role role) noexcept;  // "merchant_admin"
[[nodiscard]] std::optional<Role> parse_role(std::string_view name) noexcept;
// What goes into a ticket: "tokens:write", "tokens:read", ...
[[nodiscard]] std::span<const std::string_view> scopes(Role role) noexcept;

}  // namespace strongroom::connected::auth

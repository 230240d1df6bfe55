// The table of roles.
#include "connected/auth/role.h"

#include <algorithm>
#include <array>
#include <utility>

namespace strongroom::connected::auth {
namespace {

constexpr std::array<std::string_view, 8> kAdminScopes{
    "tokens:write",  "tokens:read",    "tokens:delete", "api-keys:write",
    "api-keys:read", "payments:write", "payments:read", "audit:read"};
constexpr std::array<std::string_view, 4> kUserScopes{"tokens:read", "api-keys:read",
                                                      "payments:read", "audit:read"};
constexpr std::array<std::string_view, 1> kTokenizerScopes{"tokens:write"};

struct RoleRow {
  Role role;
  std::string_view name;
  std::span<const std::string_view> scopes;
};
constexpr std::array<RoleRow, 3> kRoles{
    RoleRow{Role::merchant_admin, "merchant_admin", kAdminScopes},
    RoleRow{Role::merchant_user, "merchant_user", kUserScopes},
    RoleRow{Role::tokenizer, "tokenizer", kTokenizerScopes}};

const RoleRow& row(Role role) noexcept { return kRoles[std::to_underlying(role)]; }

}  // namespace

std::string_view name(Role role) noexcept { return row(role).name; }

std::span<const std::string_view> scopes(Role role) noexcept { return row(role).scopes; }

std::optional<Role> parse_role(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kRoles, name, &RoleRow::name);
  if (found == kRoles.end()) return std::nullopt;
  return found->role;
}

}  // namespace strongroom::connected::auth

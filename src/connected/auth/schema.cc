// Migrations of the auth database. Times are microseconds since the Unix epoch, UTC.
#include "connected/auth/schema.h"

#include <array>
#include <string_view>

namespace strongroom::connected::auth {
namespace {

constexpr std::array<std::string_view, 3> kFirst{
    "CREATE TABLE merchants ("
    "id text PRIMARY KEY, "
    "name text NOT NULL, "
    "created_at bigint NOT NULL, "
    "status text NOT NULL CHECK (status IN ('active', 'suspended')))",
    "CREATE TABLE api_keys ("
    "id text PRIMARY KEY, "
    "merchant_id text NOT NULL REFERENCES merchants (id), "
    "secret_hash bytea NOT NULL UNIQUE, "
    "prefix text NOT NULL, "
    "role text NOT NULL, "
    "name text NOT NULL, "
    "created_at bigint NOT NULL, "
    "revoked_at bigint, "
    "last_used_at bigint)",
    "CREATE INDEX api_keys_of_merchant ON api_keys (merchant_id, created_at, id)"};

// Who made a key, so that the keys of a stolen key are found.
constexpr std::array<std::string_view, 1> kSecond{
    "ALTER TABLE api_keys ADD COLUMN created_by text NOT NULL DEFAULT ''"};

constexpr std::array<storage::Migration, 2> kMigrations{
    storage::Migration{.version = 1, .statements = kFirst},
    storage::Migration{.version = 2, .statements = kSecond}};

}  // namespace

std::span<const storage::Migration> migrations() noexcept { return kMigrations; }

}  // namespace strongroom::connected::auth

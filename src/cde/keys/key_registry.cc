// Registering and comparing check values.
#include "cde/keys/key_registry.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/try.h"
#include "cde/keys/hsm_key_ring.h"

namespace strongroom::cde {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::Value;

constexpr std::array kColumns{
    Column{"name", ColumnType::text},
    Column{"version", ColumnType::integer},
    Column{"check_value", ColumnType::text},
    Column{"registered_at", ColumnType::integer},
};
constexpr storage::ManySql kInsert{
    "INSERT INTO key_versions(name, version, check_value, registered_at)"
    " SELECT name, version, check_value, registered_at FROM {given}"
    " WHERE true ON CONFLICT DO NOTHING",
    kColumns};
constexpr std::string_view kSelect =
    "SELECT check_value FROM key_versions WHERE name = $1 AND version = $2";
constexpr Error kOtherKey{ErrorCode::conflict,
                          "the HSM's keys are not those that this database's cards are under"};

struct NamedKey {
  std::string_view name;
  const KeyVersion& key;
};

}  // namespace

async::Task<Result<void>> check_registered(storage::Database& database, const VaultKeys& keys,
                                           const Clock& clock) {
  const std::array named{NamedKey{"blind-index", keys.blind_index},
                         NamedKey{"pan-encryption", keys.pan_encryption},
                         NamedKey{"pan-fingerprint", keys.pan_fingerprint}};
  std::vector<storage::Row> rows;
  rows.reserve(named.size());
  for (const auto& [name, key] : named) {
    rows.push_back({Value::text(name), Value::integer(key.version),
                    Value::text(hex(key.check_value)), Value::integer(clock.now_us())});
  }
  SR_CO_TRY([[maybe_unused]] const storage::Rows added,
            co_await storage::write_rows(database, kInsert, std::move(rows)));
  for (const auto& [name, key] : named) {
    std::vector<Value> parameters{Value::text(name), Value::integer(key.version)};
    storage::Statement select{kSelect, std::move(parameters)};
    SR_CO_TRY(const storage::Rows found, co_await database.read(std::move(select)));
    if (found.size() != 1) co_return fail({ErrorCode::corrupt, "a registered key is not there"});
    SR_CO_TRY(const std::string_view registered, found[0][0].text());
    if (registered != hex(key.check_value)) co_return fail(kOtherKey);
  }
  co_return Result<void>{};
}

}  // namespace strongroom::cde

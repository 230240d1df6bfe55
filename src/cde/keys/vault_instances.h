// VaultInstances: which vaultd work in a database, and which revision of the key registry each has
// open. A table in it, without times: whether one lives shows in its count going on, so that no
// clock that jumps kills one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "storage/database.h"

namespace strongroom::cde {

// The table, as a statement of the vault database's migrations.
inline constexpr std::string_view kCreateVaultInstances =
    "CREATE TABLE vault_instances ("
    " name text NOT NULL PRIMARY KEY,"
    " beats bigint NOT NULL,"
    " revision bigint NOT NULL)";

// Belongs to the database's Loop. Errors of every call: those of storage::Database.
class VaultInstances final {
 public:
  explicit VaultInstances(storage::Database& database) : database_(database) {}

  struct Instance {
    std::string name;
    std::int64_t beats = 0;
    std::int64_t revision = 0;  // of the registry, that it has open
  };
  // `name` lives, and has `revision` open; durable on return.
  [[nodiscard]] async::Task<Result<void>> beat(std::string_view name, std::int64_t revision);
  // `name` has ended, and holds nothing any more.
  [[nodiscard]] async::Task<Result<void>> leave(std::string_view name);
  // By name.
  [[nodiscard]] async::Task<Result<std::vector<Instance>>> all();

 private:
  storage::Database& database_;
};

}  // namespace strongroom::cde

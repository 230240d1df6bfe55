// The table vault_instances.
#include "cde/keys/vault_instances.h"

#include <utility>

#include "base/try.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

constexpr std::string_view kBeat =
    "INSERT INTO vault_instances(name, beats, revision) VALUES ($1, 1, $2)"
    " ON CONFLICT (name) DO UPDATE SET beats = vault_instances.beats + 1,"
    " revision = excluded.revision";
constexpr std::string_view kLeave = "DELETE FROM vault_instances WHERE name = $1";
constexpr std::string_view kAll = "SELECT name, beats, revision FROM vault_instances ORDER BY name";

}  // namespace

async::Task<Result<void>> VaultInstances::beat(std::string_view name, std::int64_t revision) {
  std::vector<Statement> statements;
  statements.push_back({kBeat, {Value::text(name), Value::integer(revision)}, 1});
  SR_CO_CHECK_OK(co_await database_.write(std::move(statements)));
  co_return Result<void>{};
}

async::Task<Result<void>> VaultInstances::leave(std::string_view name) {
  std::vector<Statement> statements;
  statements.push_back({kLeave, {Value::text(name)}});
  SR_CO_CHECK_OK(co_await database_.write(std::move(statements)));
  co_return Result<void>{};
}

async::Task<Result<std::vector<VaultInstances::Instance>>> VaultInstances::all() {
  Statement select{kAll};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(select)));
  std::vector<Instance> instances;
  instances.reserve(rows.size());
  for (const Row& row : rows) {
    Instance one;
    SR_CO_TRY(const std::string_view name, row[0].text());
    one.name = name;
    SR_CO_TRY(one.beats, row[1].integer());
    SR_CO_TRY(one.revision, row[2].integer());
    instances.push_back(std::move(one));
  }
  co_return instances;
}

}  // namespace strongroom::cde

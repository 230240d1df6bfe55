// The SQL of merchants and API keys.
#include "connected/auth/directory.h"

#include <utility>

#include "base/try.h"

namespace strongroom::connected::auth {
namespace {

using storage::Row;
using storage::Rows;
using storage::Value;

constexpr std::string_view kActive = "active";

Result<std::optional<std::int64_t>> optional_time(const Value& value) {
  if (value.is_null()) return std::nullopt;
  SR_TRY(const std::int64_t time, value.integer());
  return time;
}

// Columns: id, name, created_at, status.
Result<Merchant> read_merchant(const Row& row) {
  Merchant merchant;
  SR_TRY(merchant.id, row[0].text());
  SR_TRY(merchant.name, row[1].text());
  SR_TRY(merchant.created_at_us, row[2].integer());
  SR_TRY(const std::string_view status, row[3].text());
  merchant.active = status == kActive;
  return merchant;
}

// Columns: id, merchant_id, prefix, role, name, created_at, revoked_at, last_used_at, created_by.
Result<ApiKey> read_key(const Row& row) {
  ApiKey key;
  SR_TRY(key.id, row[0].text());
  SR_TRY(key.merchant, row[1].text());
  SR_TRY(key.prefix, row[2].text());
  SR_TRY(const std::string_view role_name, row[3].text());
  const auto role = parse_role(role_name);
  if (!role) return fail({ErrorCode::corrupt, "unknown role of an API key"});
  key.role = *role;
  SR_TRY(key.name, row[4].text());
  SR_TRY(key.created_at_us, row[5].integer());
  SR_TRY(key.revoked_at_us, optional_time(row[6]));
  SR_TRY(key.last_used_at_us, optional_time(row[7]));
  SR_TRY(key.created_by, row[8].text());
  return key;
}

template <class Item>
Result<std::optional<Item>> read_one(const Result<Rows>& rows, Result<Item> (*read)(const Row&)) {
  if (!rows) return fail(rows.error());
  if (rows->empty()) return std::optional<Item>{};
  SR_TRY(Item item, read(rows->front()));
  return std::optional<Item>(std::move(item));
}

template <class Item>
Result<Page<Item>> read_page(const Result<Rows>& rows, std::size_t limit,
                             Result<Item> (*read)(const Row&)) {
  if (!rows) return fail(rows.error());
  Page<Item> page;
  for (const Row& row : *rows) {
    if (page.items.size() == limit) {
      page.more = true;
      break;
    }
    SR_TRY(Item item, read(row));
    page.items.push_back(std::move(item));
  }
  return page;
}

Result<void> written(const Result<std::vector<Rows>>& result) {
  if (!result) return fail(result.error());
  return {};
}

// One more than is shown tells whether there are more.
Value one_more(std::size_t limit) { return Value::integer(static_cast<std::int64_t>(limit) + 1); }

}  // namespace

async::Task<Result<void>> Directory::add_merchant(Merchant merchant) {
  std::vector<storage::Statement> statements;
  statements.push_back(
      {.sql = "INSERT INTO merchants (id, name, created_at, status) VALUES ($1, $2, $3, $4)",
       .parameters = {Value::text(merchant.id), Value::text(merchant.name),
                      Value::integer(merchant.created_at_us), Value::text(kActive)},
       .expect_rows = 1});
  const auto result = co_await database_.write(std::move(statements));
  co_return written(result);
}

async::Task<Result<std::optional<Merchant>>> Directory::merchant(std::string id) {
  storage::Statement statement{
      .sql = "SELECT id, name, created_at, status FROM merchants WHERE id = $1",
      .parameters = {Value::text(id)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_one(rows, read_merchant);
}

async::Task<Result<Page<Merchant>>> Directory::merchants(std::string after, std::size_t limit) {
  storage::Statement first{.sql =
                               "SELECT id, name, created_at, status FROM merchants "
                               "ORDER BY created_at, id LIMIT $1",
                           .parameters = {one_more(limit)}};
  storage::Statement next{
      .sql =
          "SELECT id, name, created_at, status FROM merchants WHERE (created_at, id) > "
          "(SELECT created_at, id FROM merchants WHERE id = $1) "
          "ORDER BY created_at, id LIMIT $2",
      .parameters = {Value::text(after), one_more(limit)}};
  const auto rows = co_await database_.read(std::move(after.empty() ? first : next));
  co_return read_page(rows, limit, read_merchant);
}

async::Task<Result<void>> Directory::add_key(ApiKey key, crypto::Sha256Digest hash) {
  std::vector<storage::Statement> statements;
  statements.push_back(
      {.sql = "INSERT INTO api_keys (id, merchant_id, secret_hash, prefix, role, name, created_at, "
              "created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
       .parameters = {Value::text(key.id), Value::text(key.merchant), Value::digest(hash),
                      Value::text(key.prefix), Value::text(name(key.role)), Value::text(key.name),
                      Value::integer(key.created_at_us), Value::text(key.created_by)},
       .expect_rows = 1});
  const auto result = co_await database_.write(std::move(statements));
  co_return written(result);
}

async::Task<Result<std::optional<ApiKey>>> Directory::key(std::string id) {
  storage::Statement statement{
      .sql =
          "SELECT id, merchant_id, prefix, role, name, created_at, revoked_at, last_used_at, "
          "created_by FROM api_keys WHERE id = $1",
      .parameters = {Value::text(id)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_one(rows, read_key);
}

async::Task<Result<Page<ApiKey>>> Directory::keys(std::string merchant, std::string after,
                                                  std::size_t limit) {
  storage::Statement first{
      .sql =
          "SELECT id, merchant_id, prefix, role, name, created_at, revoked_at, last_used_at, "
          "created_by FROM api_keys WHERE merchant_id = $1 ORDER BY created_at, id LIMIT $2",
      .parameters = {Value::text(merchant), one_more(limit)}};
  storage::Statement next{
      .sql =
          "SELECT id, merchant_id, prefix, role, name, created_at, revoked_at, last_used_at, "
          "created_by FROM api_keys WHERE merchant_id = $1 AND (created_at, id) > "
          "(SELECT created_at, id FROM api_keys WHERE id = $2) "
          "ORDER BY created_at, id LIMIT $3",
      .parameters = {Value::text(merchant), Value::text(after), one_more(limit)}};
  const auto rows = co_await database_.read(std::move(after.empty() ? first : next));
  co_return read_page(rows, limit, read_key);
}

async::Task<Result<void>> Directory::revoke_key(std::string id, std::int64_t now_us) {
  std::vector<storage::Statement> statements;
  statements.push_back(
      {.sql = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
       .parameters = {Value::text(id), Value::integer(now_us)}});
  const auto result = co_await database_.write(std::move(statements));
  co_return written(result);
}

async::Task<Result<std::optional<ApiKey>>> Directory::key_by_hash(crypto::Sha256Digest hash) {
  storage::Statement statement{
      .sql =
          "SELECT k.id, k.merchant_id, k.prefix, k.role, k.name, k.created_at, k.revoked_at, "
          "k.last_used_at, k.created_by FROM api_keys k JOIN merchants m ON m.id = k.merchant_id "
          "WHERE k.secret_hash = $1 AND k.revoked_at IS NULL AND m.status = 'active'",
      .parameters = {Value::digest(hash)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_one(rows, read_key);
}

async::Task<Result<void>> Directory::touch_key(std::string id, std::int64_t now_us) {
  std::vector<storage::Statement> statements;
  statements.push_back({.sql = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1",
                        .parameters = {Value::text(id), Value::integer(now_us)}});
  const auto result = co_await database_.write(std::move(statements));
  co_return written(result);
}

}  // namespace strongroom::connected::auth

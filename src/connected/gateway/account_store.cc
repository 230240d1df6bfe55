// The SQL of connector accounts, and the second for which they are kept.
#include "connected/gateway/account_store.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace strongroom::connected::gateway {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

// Columns: id, merchant_id, connector, sealed, created_at.
Result<Account> read_account(const Row& row) {
  Account account;
  SR_TRY(account.id, row[0].text());
  SR_TRY(account.merchant, row[1].text());
  SR_TRY(account.connector, row[2].text());
  SR_TRY(account.sealed, row[3].text());
  SR_TRY(account.created_at_us, row[4].integer());
  return account;
}

}  // namespace

async::Task<Result<void>> AccountStore::put(Account account) {
  std::vector<Statement> statements;
  statements.push_back(
      {.sql = "INSERT INTO connector_accounts (id, merchant_id, connector, sealed, created_at) "
              "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (merchant_id, id) DO UPDATE "
              "SET sealed = excluded.sealed "
              "WHERE connector_accounts.connector = excluded.connector RETURNING id",
       .parameters = {Value::text(account.id), Value::text(account.merchant),
                      Value::text(account.connector), Value::text(account.sealed),
                      Value::integer(account.created_at_us)},
       .expect_rows = 1});
  const auto written = co_await database_.write(std::move(statements));
  if (!written) co_return fail(written.error());
  kept_.erase(account.merchant);
  co_return Result<void>{};
}

async::Task<Result<std::vector<Account>>> AccountStore::of_merchant(std::string merchant) {
  const std::int64_t now_us = clock_.now_us();
  const auto known = kept_.find(merchant);
  if (known != kept_.end() && now_us < known->second.until_us) co_return known->second.accounts;
  const auto accounts = co_await read(merchant);
  if (!accounts) co_return fail(accounts.error());
  if (kept_.size() >= kMerchantsMax) kept_.clear();
  kept_.insert_or_assign(std::move(merchant), Kept{*accounts, now_us + kKeepUs});
  co_return *accounts;
}

async::Task<Result<std::vector<Account>>> AccountStore::read(std::string merchant) {
  Statement statement{
      .sql =
          "SELECT id, merchant_id, connector, sealed, created_at FROM connector_accounts "
          "WHERE merchant_id = $1 ORDER BY created_at, id LIMIT $2",
      .parameters = {Value::text(merchant),
                     Value::integer(static_cast<std::int64_t>(kAccountsMax))}};
  const auto rows = co_await database_.read(std::move(statement));
  if (!rows) co_return fail(rows.error());
  std::vector<Account> accounts;
  for (const Row& row : *rows) {
    SR_CO_TRY(Account account, read_account(row));
    accounts.push_back(std::move(account));
  }
  co_return accounts;
}

async::Task<Result<std::optional<Account>>> AccountStore::find(std::string merchant,
                                                               std::string id) {
  Statement statement{
      .sql =
          "SELECT id, merchant_id, connector, sealed, created_at FROM connector_accounts "
          "WHERE merchant_id = $1 AND id = $2",
      .parameters = {Value::text(merchant), Value::text(id)}};
  const auto rows = co_await database_.read(std::move(statement));
  if (!rows) co_return fail(rows.error());
  if (rows->empty()) co_return std::optional<Account>{};
  SR_CO_TRY(Account account, read_account(rows->front()));
  co_return std::optional<Account>(std::move(account));
}

}  // namespace strongroom::connected::gateway

// Migrations of the core database. Times are microseconds since the Unix epoch, UTC; amounts are
// minor units; what may be absent is an empty text or zero.
#include "connected/gateway/schema.h"

#include <array>
#include <string_view>

namespace strongroom::connected::gateway {
namespace {

constexpr std::array<std::string_view, 6> kFirst{
    "CREATE TABLE payments ("
    "id text PRIMARY KEY, "
    "merchant_id text NOT NULL, "
    "currency text NOT NULL, "
    "amount bigint NOT NULL CHECK (amount > 0), "
    "amount_captured bigint NOT NULL, "
    "amount_refunded bigint NOT NULL, "
    "stage text NOT NULL, "
    "open_attempt text NOT NULL, "
    "open_operation text NOT NULL, "
    "open_amount bigint NOT NULL, "
    "open_lost bigint NOT NULL, "
    "token text NOT NULL, "
    "initiator text NOT NULL, "
    "connector text NOT NULL, "
    "account_id text NOT NULL, "
    "reference text NOT NULL, "
    "metadata text NOT NULL, "
    "first_attempt text NOT NULL, "
    "processor_reference text NOT NULL, "
    "decline_class text NOT NULL, "
    "decline_code text NOT NULL, "
    "version bigint NOT NULL, "
    "created_at bigint NOT NULL, "
    "updated_at bigint NOT NULL, "
    // What no bug of ours may store.
    "CHECK (0 <= amount_refunded AND amount_refunded <= amount_captured "
    "AND amount_captured <= amount))",
    "CREATE INDEX payments_of_merchant ON payments (merchant_id, created_at, id)",
    "CREATE TABLE attempts ("
    "id text PRIMARY KEY, "
    "merchant_id text NOT NULL, "
    "idempotency_key text NOT NULL, "
    "fingerprint bytea NOT NULL, "
    "payment_id text NOT NULL, "
    "operation text NOT NULL, "
    "amount bigint NOT NULL CHECK (amount > 0), "
    "state text NOT NULL, "
    "owner text NOT NULL, "
    "ticket text NOT NULL, "
    "processor_token text NOT NULL, "
    "tries bigint NOT NULL, "
    "next_at bigint NOT NULL, "
    "created_at bigint NOT NULL, "
    "updated_at bigint NOT NULL, "
    "stage_after text NOT NULL, "
    "captured_after bigint NOT NULL, "
    "refunded_after bigint NOT NULL, "
    "decline_class text NOT NULL, "
    "decline_code text NOT NULL, "
    "processor_reference text NOT NULL, "
    "UNIQUE (merchant_id, idempotency_key))",
    // Holds open attempts only: what the settler looks at.
    "CREATE INDEX attempts_to_settle ON attempts (next_at) WHERE next_at > 0",
    "CREATE TABLE connector_accounts ("
    "id text NOT NULL, "
    "merchant_id text NOT NULL, "
    "connector text NOT NULL, "
    "sealed text NOT NULL, "
    "created_at bigint NOT NULL, "
    "PRIMARY KEY (merchant_id, id))",
    "CREATE INDEX connector_accounts_by_age ON connector_accounts (merchant_id, created_at, id)"};

constexpr std::array<storage::Migration, 1> kMigrations{
    storage::Migration{.version = 1, .statements = kFirst}};

}  // namespace

std::span<const storage::Migration> migrations() noexcept { return kMigrations; }

}  // namespace strongroom::connected::gateway

// ProcessorTokenStore: what processors gave for cards, sealed under each card's DEK; which payments
// have used a token; and what is still to be removed at the processors. Tables of the vault
// database; SQL is written once for both databases.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "async/batcher.h"
#include "async/loop.h"
#include "async/task.h"
#include "base/id.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "storage/database.h"

namespace strongroom::cde {

// The tables, as statements of the vault database's migrations.
inline constexpr std::array<std::string_view, 3> kCreateProcessorTokens{
    "CREATE TABLE processor_tokens ("
    " token_id bytea NOT NULL,"
    " account_key bytea NOT NULL,"
    " sealed bytea NOT NULL,"
    " operation_id bytea NOT NULL,"
    " created_at bigint NOT NULL,"
    " PRIMARY KEY (token_id, account_key))",
    "CREATE TABLE token_uses ("
    " token_id bytea NOT NULL,"
    " payment_key bytea NOT NULL,"
    " used_at bigint NOT NULL,"
    " PRIMARY KEY (token_id, payment_key))",
    "CREATE TABLE removals ("
    " removal_id bytea NOT NULL PRIMARY KEY,"
    " connector text NOT NULL,"
    " account text NOT NULL,"
    " processor_token text NOT NULL,"
    " queued_at bigint NOT NULL,"
    " tries bigint NOT NULL,"
    " try_at bigint NOT NULL)"};

// Stand for an account and for a payment beside one card, so that the vault database alone links
// cards to nothing outside: SHA-256 over the token_id and the id.
using AccountKey = crypto::Sha256Digest;
using PaymentKey = crypto::Sha256Digest;
[[nodiscard]] AccountKey account_key(TokenId token, std::string_view account_id);
[[nodiscard]] PaymentKey payment_key(TokenId token, std::string_view payment);

// connectord's two blobs (docs/formats/connector-seal.md), as text: what it needs to pay with a
// card, and to remove it.
struct AtProcessor {
  std::string account;
  std::string processor_token;
};

struct ProcessorTokenRow {
  AccountKey account;
  crypto::Sealed sealed;  // AtProcessor, under the card's DEK
  OperationId operation;  // that put it there
};

using RemovalId = Id<struct RemovalIdTag>;

// A stored card that its processor is still to forget. Times are microseconds since the epoch.
struct Removal {
  RemovalId id;
  std::string connector;  // "stripe"
  AtProcessor what;
  std::int64_t queued_at_us = 0;
  std::int64_t tries = 0;
};

// A statement that queues removals with what is done to cards or their processor tokens: this text,
// then a JOIN that keeps those of `operation` only; and its rows.
inline constexpr char kQueueOfGiven[] =
    "INSERT INTO removals"
    " (removal_id, connector, account, processor_token, queued_at, tries, try_at)"
    " SELECT given.removal, given.connector_name, given.account_blob, given.token_blob, given.at,"
    " 0, given.at FROM {given}";
inline constexpr std::array kQueueColumns{
    storage::Column{"id", storage::ColumnType::bytes},
    storage::Column{"operation", storage::ColumnType::bytes},
    storage::Column{"removal", storage::ColumnType::bytes},
    storage::Column{"connector_name", storage::ColumnType::text},
    storage::Column{"account_blob", storage::ColumnType::text},
    storage::Column{"token_blob", storage::ColumnType::text},
    storage::Column{"at", storage::ColumnType::integer}};
[[nodiscard]] storage::Row queue_row(TokenId token, OperationId operation, const Removal& removal);

// The part of a transaction that takes all processor tokens of `token` and queues `removals`, which
// stand for them: the transaction fails with conflict if there are more or fewer.
[[nodiscard]] std::vector<storage::Statement> statements_to_remove(
    TokenId token, std::span<const Removal> removals);

// Least time from one batch for payments to the next: a payment goes through processes that share
// the cores, and a statement costs nearly the same for one card as for many.
inline constexpr std::chrono::microseconds kPaymentPace{2000};

// Belongs to one Loop. Errors of every call are those of storage::Database.
class ProcessorTokenStore final {
 public:
  ProcessorTokenStore(async::Loop& loop, storage::Database& database);

  [[nodiscard]] async::Task<Result<std::optional<ProcessorTokenRow>>> find(TokenId token,
                                                                           AccountKey account);
  [[nodiscard]] async::Task<Result<std::vector<ProcessorTokenRow>>> all_of(TokenId token);
  using OfTokens = std::map<TokenId, std::vector<ProcessorTokenRow>>;
  // The same of many; those without any are not there.
  [[nodiscard]] async::Task<Result<OfTokens>> all_of(std::vector<TokenId> tokens);

  enum class Kept {
    kept,
    elsewhere,  // another one stands there: read it
    changed,    // the card was deleted or replaced since it was read
  };
  struct Replaced {
    OperationId operation;  // that put it there
    Removal removal;
  };
  struct Keeping {
    TokenId token;
    OperationId card_operation;  // that left the card as it was handed over
    ProcessorTokenRow row;
    std::optional<Replaced> replaced{};  // in whose place it comes, and which is to be removed
    std::int64_t at_us = 0;
  };
  // Keeps the row for the card, unless that has changed since. Batched with what arrives meanwhile;
  // durable on return.
  [[nodiscard]] async::Task<Result<Kept>> keep(Keeping what);

  // Takes exactly this one from the card, in the name of `operation`, and queues its removal.
  // False: it does not stand there any more.
  [[nodiscard]] async::Task<Result<bool>> take(TokenId token, const ProcessorTokenRow& row,
                                               OperationId operation, const Removal& removal);

  [[nodiscard]] async::Task<Result<bool>> has_used(TokenId token, PaymentKey payment);
  // Counts one use of the token for the payment, unless that is counted already. False: the token
  // has been used as often as it may, or was deleted. Batched with what arrives meanwhile.
  [[nodiscard]] async::Task<Result<bool>> count_use(TokenId token, PaymentKey payment,
                                                    std::int64_t now_us);

  [[nodiscard]] async::Task<Result<void>> queue(const Removal& removal);
  // Up to `count_max` of what is due, the longest waiting first.
  [[nodiscard]] async::Task<Result<std::vector<Removal>>> due(std::int64_t now_us,
                                                              std::int64_t count_max);
  [[nodiscard]] async::Task<Result<std::int64_t>> queued();  // how many, due or not
  [[nodiscard]] async::Task<Result<void>> drop(RemovalId id);
  [[nodiscard]] async::Task<Result<void>> postpone(RemovalId id, std::int64_t until_us);

 private:
  struct Use {
    TokenId token;
    PaymentKey payment;
    std::int64_t at_us;
  };
  async::Task<std::vector<Result<Kept>>> keep_batch(std::vector<Keeping> all);
  async::Task<Result<std::vector<Kept>>> keep_together(std::span<const Keeping> all);
  async::Task<std::vector<Result<bool>>> count_batch(std::vector<Use> uses);
  async::Task<std::vector<Result<bool>>> count_together(std::span<const Use> uses);
  async::Task<Result<bool>> count_alone(Use use);

  storage::Database& database_;
  async::Batcher<Keeping, Kept> keeps_;
  async::Batcher<Use, bool> uses_;
};

}  // namespace strongroom::cde

// The registry's rows and their seals.
#include "cde/keys/key_registry.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/try.h"
#include "cde/keys/ledger_rows.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

// The seal stands beside each row, so that one statement sees both at one moment.
constexpr std::string_view kSelect =
    "SELECT revision, mac_version, kek_floor, keys_seal.mac, name, version, check_value, state,"
    " created_at, activated_at, state_since, state_revision, cryptoperiod_us, emptied_at, uses,"
    " keys.mac, backup_ledger"
    " FROM (SELECT 1 AS always) AS always LEFT JOIN keys_seal ON true LEFT JOIN keys ON true"
    " ORDER BY name, version";
enum SelectColumn : std::size_t {
  kRevision,
  kMacVersion,
  kKekFloor,
  kSeal,
  kName,
  kVersion,
  kCheckValue,
  kState,
  kCreatedAt,
  kActivatedAt,
  kStateSince,
  kStateRevision,
  kCryptoperiod,
  kEmptiedAt,
  kUses,
  kMac,
  kLedger,
};
constexpr std::string_view kSelectRevision = "SELECT revision FROM keys_seal";
constexpr std::string_view kFirst =
    "INSERT INTO keys_seal(one, revision, mac_version, kek_floor, mac, backup_ledger)"
    " VALUES (1, $1, $2, $3, $4, $5)"
    " ON CONFLICT (one) DO NOTHING";
constexpr std::string_view kTurn =
    "UPDATE keys_seal SET revision = $1, mac_version = $2, kek_floor = $3, mac = $4,"
    " backup_ledger = $5 WHERE revision = $1 - 1";
constexpr std::string_view kPut =
    "INSERT INTO keys(name, version, check_value, state, created_at, activated_at, state_since,"
    " state_revision, cryptoperiod_us, emptied_at, uses, mac)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    " ON CONFLICT (name, version) DO UPDATE SET check_value = excluded.check_value,"
    " state = excluded.state, created_at = excluded.created_at,"
    " activated_at = excluded.activated_at, state_since = excluded.state_since,"
    " state_revision = excluded.state_revision, cryptoperiod_us = excluded.cryptoperiod_us,"
    " emptied_at = excluded.emptied_at, uses = excluded.uses, mac = excluded.mac";
constexpr std::string_view kLedgerField = "backup-ledger";
constexpr std::string_view kFormer =
    "SELECT check_value FROM key_versions WHERE name = $1 AND version = 1";

std::vector<std::byte> seal_of(const KeyRecords& records, std::span<const RegistryMac> rows) {
  crypto::Context context("strongroom/key-registry/1");
  context.add(static_cast<std::uint64_t>(records.revision)).add(records.kek_floor);
  for (const RegistryMac& row : rows) context.add(std::span<const std::byte>(row));
  // No row's MAC is as short as the word before it.
  if (records.ledger) context.add(kLedgerField).add(std::span<const std::byte>(*records.ledger));
  const std::span<const std::byte> bytes = context.bytes();
  return {bytes.begin(), bytes.end()};
}

auto place_of(const RegisteredKey& key) { return std::pair(key.name, key.version); }

Result<std::uint64_t> natural(const Value& value) {
  SR_TRY(const std::int64_t number, value.integer());
  if (number < 0) return fail(kRegistryAltered);
  return static_cast<std::uint64_t>(number);
}

Result<std::uint32_t> version_in(const Value& value) {
  SR_TRY(const std::uint64_t number, natural(value));
  if (number > std::numeric_limits<std::uint32_t>::max()) return fail(kRegistryAltered);
  return static_cast<std::uint32_t>(number);
}

Result<std::optional<std::int64_t>> time_or_none(const Value& value) {
  if (value.is_null()) return std::optional<std::int64_t>();
  SR_TRY(const std::int64_t time, value.integer());
  if (time < 0) return fail(kRegistryAltered);  // its MAC is that of no time
  return std::optional(time);
}

Value time_or_null(const std::optional<std::int64_t>& time) {
  return time ? Value::integer(*time) : Value::null();
}

struct Authenticated {
  RegisteredKey key;
  RegistryMac mac;
};

std::vector<std::vector<std::byte>> contexts_of(std::span<const RegisteredKey> keys) {
  std::vector<std::vector<std::byte>> contexts;
  contexts.reserve(keys.size() + 1);
  for (const RegisteredKey& key : keys) contexts.push_back(key.authenticated());
  return contexts;
}

// What a row says; no word of it is believed before its MAC is.
Result<RegisteredKey> read_key(const Row& row) {
  RegisteredKey key;
  SR_TRY(const std::string_view name, row[kName].text());
  SR_TRY(key.name, parse_key_name(name));
  SR_TRY(key.version, version_in(row[kVersion]));
  SR_TRY(const std::string_view check_value, row[kCheckValue].text());
  if (!parse_hex(check_value, key.check_value)) return fail(kRegistryAltered);
  SR_TRY(const std::string_view state, row[kState].text());
  SR_TRY(key.state, parse_key_state(state));
  SR_TRY(key.created_at_us, row[kCreatedAt].integer());
  SR_TRY(key.activated_at_us, time_or_none(row[kActivatedAt]));
  SR_TRY(key.state_since_us, row[kStateSince].integer());
  SR_TRY(key.state_revision, row[kStateRevision].integer());
  SR_TRY(key.cryptoperiod_us, row[kCryptoperiod].integer());
  SR_TRY(key.emptied_at_us, time_or_none(row[kEmptiedAt]));
  SR_TRY(key.uses, natural(row[kUses]));
  return key;
}

// Its label as the row has it, for people.
std::string label_of(const Row& row) {
  const auto name = row[kName].text();
  const auto version = row[kVersion].integer();
  return "strongroom/" + std::string(name.value_or("?")) + "/" +
         std::to_string(version.value_or(0));
}

Statement put(const RegisteredKey& key, const RegistryMac& mac) {
  std::vector<Value> values{Value::text(kind_of(key.name).text),
                            Value::integer(key.version),
                            Value::text(hex(key.check_value)),
                            Value::text(to_string(key.state)),
                            Value::integer(key.created_at_us),
                            time_or_null(key.activated_at_us),
                            Value::integer(key.state_since_us),
                            Value::integer(key.state_revision),
                            Value::integer(key.cryptoperiod_us),
                            time_or_null(key.emptied_at_us),
                            Value::integer(static_cast<std::int64_t>(key.uses)),
                            Value::digest(mac)};
  return {kPut, std::move(values), 1};
}

}  // namespace

// The rows as they stand, and which of them are not what a vaultd wrote.
struct KeyRegistry::Read {
  KeyRecords records;
  std::vector<std::string> foreign;
};

async::Task<Result<KeyRegistry::Read>> KeyRegistry::read_rows() {
  Statement select{kSelect};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(select)));
  const Row& first = rows.front();
  Read read;
  if (first[kRevision].is_null()) {
    if (!first[kName].is_null()) read.foreign.emplace_back();  // the seal is gone
    co_return read;
  }
  SR_CO_TRY(read.records.revision, first[kRevision].integer());
  SR_CO_TRY(read.records.mac_version, version_in(first[kMacVersion]));
  SR_CO_TRY(read.records.kek_floor, version_in(first[kKekFloor]));
  if (!first[kLedger].is_null()) {
    SR_CO_TRY(read.records.ledger, first[kLedger].digest<32>());
  }
  std::vector<Authenticated> found;
  for (const Row& row : rows) {
    if (row[kName].is_null()) break;  // the seal alone
    const auto key = read_key(row);
    const auto mac = row[kMac].digest<32>();
    if (key && mac) {
      found.push_back({*key, *mac});
    } else {
      read.foreign.push_back(label_of(row));
    }
  }
  std::ranges::sort(found, {}, [](const Authenticated& one) { return place_of(one.key); });
  std::vector<RegistryMac> stored;
  for (const Authenticated& one : found) {
    read.records.keys.push_back(one.key);
    stored.push_back(one.mac);
  }
  std::vector<std::vector<std::byte>> contexts = contexts_of(read.records.keys);
  contexts.push_back(seal_of(read.records, stored));
  SR_CO_TRY(const std::vector<RegistryMac> macs,
            co_await store_.macs(read.records.mac_version, std::move(contexts)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!equal_constant_time(macs[i], stored[i])) read.foreign.push_back(found[i].key.label());
  }
  const auto seal = first[kSeal].digest<32>();
  if (!seal || !equal_constant_time(macs.back(), *seal)) read.foreign.emplace_back();
  co_return read;
}

async::Task<Result<KeyRecords>> KeyRegistry::read() {
  SR_CO_TRY(Read read, co_await read_rows());
  if (read.foreign.empty()) co_return std::move(read.records);
  for (const std::string& label : read.foreign) {
    log::error("the key registry was altered",
               {{"row", label.empty() ? "which there are" : label}});
  }
  co_return fail(kRegistryAltered);
}

async::Task<Result<std::vector<std::string>>> KeyRegistry::check() {
  SR_CO_TRY(Read read, co_await read_rows());
  co_return std::move(read.foreign);
}

async::Task<Result<std::int64_t>> KeyRegistry::revision() {
  Statement select{kSelectRevision};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(select)));
  if (rows.empty()) co_return 0;
  co_return rows.front()[0].integer();
}

async::Task<Result<BackupLedger>> KeyRegistry::read_ledger(const KeyRecords& records) {
  Statement select = select_ledger();
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(select)));
  if (rows.front()[0].is_null()) co_return fail(kRegistryAltered);
  SR_CO_TRY(const std::int64_t revision, rows.front()[0].integer());
  if (revision != records.revision) co_return fail(kRegistryMovedOn);
  Result<BackupLedger> ledger = cde::read_ledger(rows);
  if (ledger && ledger->digest() == records.ledger) co_return ledger;
  log::error("the key registry was altered", {{"row", "the ledger of backups"}});
  co_return fail(kRegistryAltered);
}

async::Task<Result<KeyRecords>> KeyRegistry::write(KeyRecords next, std::vector<Statement> also) {
  ++next.revision;
  if (const RegisteredKey* own = next.in_state(KeyName::key_registry, KeyState::active)) {
    next.mac_version = own->version;
  }
  SR_CO_TRY(const std::vector<RegistryMac> macs,
            co_await store_.macs(next.mac_version, contexts_of(next.keys)));
  std::vector<std::vector<std::byte>> all{seal_of(next, macs)};
  SR_CO_TRY(const std::vector<RegistryMac> seal,
            co_await store_.macs(next.mac_version, std::move(all)));

  std::vector<Statement> statements;
  std::vector<Value> turn{Value::integer(next.revision), Value::integer(next.mac_version),
                          Value::integer(next.kek_floor), Value::digest(seal.front()),
                          next.ledger ? Value::digest(*next.ledger) : Value::null()};
  statements.push_back({next.revision == 1 ? kFirst : kTurn, std::move(turn), 1});
  for (std::size_t i = 0; i < next.keys.size(); ++i) {
    statements.push_back(put(next.keys[i], macs[i]));
  }
  std::ranges::move(also, std::back_inserter(statements));
  SR_CO_CHECK_OK(co_await database_.write(std::move(statements)));
  co_return next;
}

async::Task<Result<std::string>> KeyRegistry::former_check_value(KeyName name) {
  Statement select{kFormer, {Value::text(kind_of(name).text)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(select)));
  if (rows.empty()) co_return std::string();
  SR_CO_TRY(const std::string_view value, rows.front()[0].text());
  co_return std::string(value);
}

}  // namespace strongroom::cde

// KeyRegistry: which versions of vaultd's keys there are, what they may do and have done. Rows of
// the vault database, without key material. Each row has a MAC under a key in the HSM, and so have
// all together: whoever writes to the database can neither alter a row nor swap, add, leave out or
// bring back one unseen; of a database that was put back whole, the audit log tells. The ledger of
// backups is sealed with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "cde/keys/backup_ledger.h"
#include "cde/keys/key_store.h"
#include "cde/keys/registered_key.h"
#include "storage/database.h"

namespace strongroom::cde {

// What is read is not as a vaultd wrote it.
inline constexpr Error kRegistryAltered{ErrorCode::corrupt,
                                        "the key registry was written to by somebody else"};

// It is not the one that this vaultd has read, nor a later one.
inline constexpr Error kRegistryOlder{
    ErrorCode::corrupt, "the key registry is gone, or is an older one than vaultd has read"};

// It has a later revision than what it was compared with.
inline constexpr Error kRegistryMovedOn{ErrorCode::conflict,
                                        "another vaultd has changed the key registry"};

// What there was before the registry, as a statement of the vault database's migrations: a check
// value of version 1 of each key. It is read once, by the first vaultd that fills the registry.
inline constexpr std::string_view kCreateKeyVersions =
    "CREATE TABLE key_versions ("
    " name text NOT NULL,"
    " version bigint NOT NULL,"
    " check_value text NOT NULL,"
    " registered_at bigint NOT NULL,"
    " PRIMARY KEY (name, version))";
// The registry's tables.
inline constexpr std::array<std::string_view, 2> kCreateKeyRegistry{
    "CREATE TABLE keys ("
    " name text NOT NULL,"
    " version bigint NOT NULL,"
    " check_value text NOT NULL,"
    " state text NOT NULL,"
    " created_at bigint NOT NULL,"
    " activated_at bigint,"
    " state_since bigint NOT NULL,"
    " state_revision bigint NOT NULL,"
    " cryptoperiod_us bigint NOT NULL,"
    " emptied_at bigint,"
    " uses bigint NOT NULL,"
    " mac bytea NOT NULL,"
    " PRIMARY KEY (name, version))",
    "CREATE TABLE keys_seal ("
    " one bigint NOT NULL PRIMARY KEY CHECK (one = 1),"
    " revision bigint NOT NULL,"
    " mac_version bigint NOT NULL,"  // of `key-registry`: all the MACs are under that one
    " kek_floor bigint NOT NULL,"
    " mac bytea NOT NULL)"};

// Belongs to the database's Loop. What is borrowed outlives it. Errors of every call are those of
// storage::Database and of KeyStore, and those listed.
class KeyRegistry final {
 public:
  KeyRegistry(storage::Database& database, KeyStore& store) : database_(database), store_(store) {}

  // corrupt: somebody else has written to it, and the log says to which row. Nothing is to be
  // encrypted then.
  [[nodiscard]] async::Task<Result<KeyRecords>> read();
  // The ledger of backups that `records`, the latest, are sealed with. conflict: they are not the
  // latest any more; read again. corrupt: somebody else has written to it.
  [[nodiscard]] async::Task<Result<BackupLedger>> read_ledger(const KeyRecords& records);
  // Everything in which read() finds a foreign hand: a row's label, or empty for which rows there
  // are. Nothing: it is whole.
  [[nodiscard]] async::Task<Result<std::vector<std::string>>> check();
  // The revision alone, from one row: whether read() would give something new.
  [[nodiscard]] async::Task<Result<std::int64_t>> revision();
  // Makes `next` what the registry holds, with every MAC anew under the active version of
  // `key-registry`, and gives it as it is there then: its revision is one more. Durable on return,
  // all or nothing, with what `also` does. conflict: it is not made from the latest any more; read
  // again. unknown_outcome: the same.
  [[nodiscard]] async::Task<Result<KeyRecords>> write(KeyRecords next,
                                                      std::vector<storage::Statement> also = {});
  // The check value that a vaultd noted before there was a registry, in hexadecimal; empty: none.
  [[nodiscard]] async::Task<Result<std::string>> former_check_value(KeyName name);

 private:
  struct Read;
  async::Task<Result<Read>> read_rows();

  storage::Database& database_;
  KeyStore& store_;
};

}  // namespace strongroom::cde

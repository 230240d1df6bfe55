// The key registry: which keys the cards of a vault database are under. It holds no key material, a
// check value of each version only, so that the wrong token (another one of that name, a blank one
// made anew) is noticed before it mixes its rows with those of the right one.
#pragma once

#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "storage/database.h"

namespace strongroom::cde {

struct VaultKeys;  // hsm_key_ring.h; whoever makes the table need not see the HSM

// The table, as a statement of the vault database's migrations.
inline constexpr std::string_view kCreateKeyRegistry =
    "CREATE TABLE key_versions ("
    " name text NOT NULL,"
    " version bigint NOT NULL,"
    " check_value text NOT NULL,"  // pkcs11::CheckValue in hexadecimal
    " registered_at bigint NOT NULL,"
    " PRIMARY KEY (name, version))";

// Registers those of `keys` that the database does not know yet, and compares the others; durable
// on return. conflict: the HSM has another key of that name and version. And the errors of
// storage::Database. What is borrowed stays valid until the task ends.
[[nodiscard]] async::Task<Result<void>> check_registered(storage::Database& database,
                                                         const VaultKeys& keys, const Clock& clock);

}  // namespace strongroom::cde

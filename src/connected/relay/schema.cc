// Migrations of the search index, which is SQLite's alone. All of it follows from the logs. Times
// are milliseconds since the Unix epoch, as entries have them.
#include "connected/relay/schema.h"

#include <array>
#include <string_view>

namespace strongroom::connected::relay {
namespace {

// `terms` is an inverted index: what an entry can be found by, newest last.
constexpr std::array<std::string_view, 4> kFirst{
    "CREATE TABLE logs ("
    "id integer PRIMARY KEY, "
    "name text NOT NULL UNIQUE, "
    "owner text NOT NULL, "
    "size bigint NOT NULL)",
    "CREATE TABLE entries ("
    "id integer PRIMARY KEY, "
    "log bigint NOT NULL, "
    "entry_index bigint NOT NULL, "
    "time bigint NOT NULL)",
    "CREATE INDEX entries_by_time ON entries (time, id)",
    "CREATE TABLE terms ("
    "term text NOT NULL, "
    "time bigint NOT NULL, "
    "entry bigint NOT NULL, "
    "log bigint NOT NULL, "
    "PRIMARY KEY (term, time, entry)) WITHOUT ROWID"};

// An entry of which nobody knows what it says is a count, no row: nothing could find it.
constexpr std::array<std::string_view, 3> kSecond{
    "ALTER TABLE logs ADD COLUMN unread bigint NOT NULL DEFAULT 0",
    "UPDATE logs SET unread = counted.unread FROM "
    "(SELECT log, COUNT(*) AS unread FROM entries WHERE time = 0 GROUP BY log) AS counted "
    "WHERE counted.log = logs.id",
    "DELETE FROM entries WHERE time = 0"};

// A term's entries stand together, and those of 8,192 entries of the index in one block of it, so
// that what is added meets the same few pages. A block knows of which times its entries are.
constexpr std::array<std::string_view, 7> kThird{
    "CREATE TABLE blocks ("
    "id integer PRIMARY KEY, "
    "first_time bigint NOT NULL, "
    "last_time bigint NOT NULL)",
    "INSERT INTO blocks (id, first_time, last_time) "
    "SELECT id / 8192, MIN(time), MAX(time) FROM entries GROUP BY id / 8192",
    "CREATE INDEX blocks_by_time ON blocks (last_time, id)",
    "CREATE TABLE postings ("
    "block bigint NOT NULL, "
    "term text NOT NULL, "
    "first_entry bigint NOT NULL, "
    "entries text NOT NULL, "  // a JSON array of their ids, ascending
    "PRIMARY KEY (block, term, first_entry)) WITHOUT ROWID",
    "INSERT INTO postings (block, term, first_entry, entries) "
    "SELECT entry / 8192, term, entry, '[' || entry || ']' FROM terms",
    "DROP TABLE terms",
    "DROP INDEX entries_by_time"};

constexpr std::array<storage::Migration, 3> kMigrations{
    storage::Migration{.version = 1, .statements = kFirst},
    storage::Migration{.version = 2, .statements = kSecond},
    storage::Migration{.version = 3, .statements = kThird}};

}  // namespace

std::span<const storage::Migration> migrations() noexcept { return kMigrations; }

}  // namespace strongroom::connected::relay

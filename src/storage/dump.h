// Dumps: every row of a database as of one moment, as a stream of bytes that either kind of
// database can be filled from again. docs/formats/database-dump.md has the bytes. For programs that
// do nothing else meanwhile: all calls block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/database.h"
#include "storage/migrations.h"

namespace strongroom::storage {

// Takes bytes, all of them.
using Sink = std::function<Result<void>(std::span<const std::byte>)>;
// Fills `out`; with fewer bytes only at the end.
using Source = std::function<Result<std::size_t>(std::span<std::byte> out)>;

// A row with more is no dump's.
inline constexpr std::size_t kDumpRowBytesMax = std::size_t{64} << 20;

struct DumpReport {
  std::int64_t schema_version = 0;
  std::uint64_t rows = 0;
};

// Gives `sink` all tables of the database at `url` (as in storage::open) as they are at one moment,
// while others write. conflict: its schema is not that of `migrations` (as check_schema);
// not_found: there is no such SQLite file; and the errors of Database and of `sink`.
[[nodiscard]] Result<DumpReport> dump_at(const std::string& url,
                                         std::span<const Migration> migrations, const Sink& sink);

// Fills the empty database at `url` from a dump, brings its schema to the newest of `migrations`
// and runs `last`, in one transaction: a run that ends early, however it ends, leaves the database
// empty. Reads `source` to the dump's last byte and no further; then `last` may read on. conflict:
// the database is not empty, or the dump's schema is newer than `migrations`; corrupt: it is no
// dump, is cut short, or has other tables than its schema; and the errors of Database, `source` and
// `last`.
using LastStatements = std::function<Result<std::vector<Statement>>()>;
[[nodiscard]] Result<DumpReport> load_at(
    const std::string& url, std::span<const Migration> migrations, const Source& source,
    const LastStatements& last = [] { return std::vector<Statement>{}; });

// For load_at(): nothing comes last. corrupt: `source` has more.
[[nodiscard]] Result<std::vector<Statement>> nothing_more(const Source& source);

// All of a descriptor; unavailable (detail: errno).
[[nodiscard]] Source source_of(int fd);

}  // namespace strongroom::storage

// Values in PostgreSQL's binary format, and SQLSTATEs as errors. (The format of each type:
// PostgreSQL 15, src/backend/utils/adt, the functions int8send, textsend, byteasend and
// array_send.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/answer.h"
#include "storage/database.h"

struct pg_result;

namespace strongroom::storage {

struct PostgresParameter {
  std::uint32_t type = 0;            // an OID; 0 leaves it to the server
  std::optional<std::string> bytes;  // none: NULL
};

[[nodiscard]] PostgresParameter encode(const Value& value);
// The array of `rows`' values at `index`. invalid_argument: a value is neither NULL nor of `type`,
// or a row has no such value.
[[nodiscard]] Result<PostgresParameter> encode_array(ColumnType type, std::span<const Row> rows,
                                                     std::size_t index);

// The rows of a result in binary format; bigint, integer, smallint and boolean columns are
// integers, character types are text, all others the server's bytes.
[[nodiscard]] Answer decode(const pg_result& result);

// What a SQLSTATE means to Database's callers. invalid_argument when it is not known.
[[nodiscard]] Error error_of_sqlstate(std::string_view sqlstate);

}  // namespace strongroom::storage

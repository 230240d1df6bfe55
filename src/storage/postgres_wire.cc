// Encoding, decoding, and the table of SQLSTATEs.
#include "storage/postgres_wire.h"

#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <utility>

#include "base/encoding.h"

namespace strongroom::storage {
namespace {

// Type OIDs are part of PostgreSQL's stable catalog (src/include/catalog/pg_type.dat).
enum Oids : std::uint32_t {
  kBool = 16,
  kBytea = 17,
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kByteaArray = 1001,
  kTextArray = 1009,
  kInt8Array = 1016,
  kBpchar = 1042,
  kVarchar = 1043,
};

constexpr std::size_t kArrayHeaderBytes = 20;
constexpr std::size_t kHasNullAt = 7;
constexpr std::size_t kUsualElementBytes = 64;  // most columns' with their lengths

struct ArrayType {
  std::uint32_t element;
  std::uint32_t array;
};

ArrayType array_type(ColumnType type) {
  switch (type) {
    case ColumnType::integer:
      return {kInt8, kInt8Array};
    case ColumnType::text:
      return {kText, kTextArray};
    case ColumnType::bytes:
      return {kBytea, kByteaArray};
  }
  return {};
}

void append_int(std::string& out, std::uint64_t value, int size_bytes) {
  for (int shift = 8 * (size_bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

// Overwrites the four bytes at `at`.
void set_int(std::string& out, std::size_t at, std::size_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

// The binary form of a value that is not null, behind what `out` holds; its type.
Oids append_value(std::string& out, const Value& value) {
  if (const auto number = value.integer()) {
    append_int(out, static_cast<std::uint64_t>(*number), 8);
    return kInt8;
  }
  if (const auto text = value.text()) {
    out += *text;
    return kText;
  }
  out += as_text(*value.bytes());
  return kBytea;
}

// Two's complement, most significant byte first, of 1 to 8 bytes.
std::int64_t read_int(std::span<const std::byte> bytes) {
  std::uint64_t value = !bytes.empty() && std::to_integer<int>(bytes[0]) >= 0x80 ? ~0ULL : 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return static_cast<std::int64_t>(value);
}

Value decode_value(std::uint32_t type, std::span<const std::byte> bytes) {
  switch (type) {
    case kBool:
    case kInt2:
    case kInt4:
    case kInt8:
      return Value::integer(read_int(bytes));
    case kText:
    case kName:
    case kVarchar:
    case kBpchar:
      return Value::text(as_text(bytes));
    default:
      return StoredBytes::value(bytes);
  }
}

Row decode_row(const PGresult& result, int row, int columns) {
  Row values;
  values.reserve(static_cast<std::size_t>(columns));
  for (int i = 0; i < columns; ++i) {
    if (PQgetisnull(&result, row, i) != 0) {
      values.push_back(Value::null());
      continue;
    }
    const std::string_view text(PQgetvalue(&result, row, i),
                                static_cast<std::size_t>(PQgetlength(&result, row, i)));
    values.push_back(decode_value(PQftype(&result, i), as_bytes(text)));
  }
  return values;
}

}  // namespace

PostgresParameter encode(const Value& value) {
  if (value.is_null()) return {};
  std::string bytes;
  const Oids type = append_value(bytes, value);
  return {type, std::move(bytes)};
}

Result<PostgresParameter> encode_array(ColumnType type, std::span<const Row> rows,
                                       std::size_t index) {
  const auto [element_type, array_oid] = array_type(type);
  std::string array;
  array.reserve(kArrayHeaderBytes + rows.size() * kUsualElementBytes);
  append_int(array, 1, 4);  // dimensions
  append_int(array, 0, 4);  // has NULLs
  append_int(array, element_type, 4);
  append_int(array, rows.size(), 4);
  append_int(array, 1, 4);  // index of the first element
  for (const Row& row : rows) {
    if (index >= row.size()) return fail({ErrorCode::invalid_argument, "row is too short"});
    if (row[index].is_null()) {
      array[kHasNullAt] = 1;
      append_int(array, 0xffff'ffff, 4);  // a length of -1
      continue;
    }
    const std::size_t length_at = array.size();
    append_int(array, 0, 4);
    if (append_value(array, row[index]) != element_type) {
      return fail({ErrorCode::invalid_argument, "value has another type than its column"});
    }
    set_int(array, length_at, array.size() - length_at - 4);
  }
  return PostgresParameter{array_oid, std::move(array)};
}

Answer decode(const pg_result& result) {
  Answer answer;
  const int rows = PQntuples(&result);
  const int columns = PQnfields(&result);
  answer.rows.reserve(static_cast<std::size_t>(rows));
  for (int i = 0; i < rows; ++i) answer.rows.push_back(decode_row(result, i, columns));
  // libpq takes a mutable result here and does not change it.
  const std::string_view count = PQcmdTuples(const_cast<PGresult*>(&result));
  std::from_chars(count.data(), count.data() + count.size(), answer.affected);
  return answer;
}

Error error_of_sqlstate(std::string_view sqlstate) {
  // The first row that `sqlstate` begins with decides (PostgreSQL 15, appendix A).
  constexpr std::pair<std::string_view, Error> kTable[] = {
      {"23", {ErrorCode::conflict, "constraint violated"}},
      {"40003", {ErrorCode::unknown_outcome, "the database does not know the outcome"}},
      {"40", {ErrorCode::conflict, "transaction lost against another"}},
      {"55P03", {ErrorCode::unavailable, "row is locked"}},
      {"57014", {ErrorCode::unavailable, "statement took too long"}},
      {"26000", {ErrorCode::unavailable, "statement is not prepared"}},
      {"08P01", {ErrorCode::invalid_argument, "wrong number of parameters"}},
      {"08", {ErrorCode::unavailable, "connection failed"}},
      {"53100", kDiskFull},
      {"53", {ErrorCode::unavailable, "database is out of resources"}},
      {"57", {ErrorCode::unavailable, "database was stopped"}},
      {"58", {ErrorCode::unavailable, "database has a system error"}},
      {"XX001", {ErrorCode::corrupt, "database is damaged"}},
      {"XX002", {ErrorCode::corrupt, "database index is damaged"}},
  };
  for (const auto& [prefix, error] : kTable) {
    if (sqlstate.starts_with(prefix)) return error;
  }
  return {ErrorCode::invalid_argument, "SQL was refused"};
}

}  // namespace strongroom::storage

#include "storage/postgres_wire.h"

#include <gtest/gtest.h>

#include <array>

#include "base/encoding.h"

namespace strongroom::storage {
namespace {

std::string hex_of(const PostgresParameter& parameter) { return hex(as_bytes(*parameter.bytes)); }

TEST(PostgresWireTest, EncodeGivesTypeAndBigEndianBytes) {
  EXPECT_FALSE(encode(Value::null()).bytes.has_value());
  EXPECT_EQ(encode(Value::null()).type, 0U);
  EXPECT_EQ(encode(Value::integer(-2)).type, 20U);
  EXPECT_EQ(hex_of(encode(Value::integer(-2))), "fffffffffffffffe");
  EXPECT_EQ(hex_of(encode(Value::integer(0x0102030405060708))), "0102030405060708");
  EXPECT_EQ(encode(Value::text("")).type, 25U);
  EXPECT_EQ(encode(Value::text("")).bytes, "");
  EXPECT_EQ(encode(Value::digest(std::array<std::byte, 32>{})).type, 17U);
}

TEST(PostgresWireTest, EncodeArrayMarksNulls) {
  const std::vector<Row> rows{{Value::integer(1)}, {Value::null()}};
  const auto array = encode_array(ColumnType::integer, rows, 0);
  ASSERT_TRUE(array.has_value());
  EXPECT_EQ(array->type, 1016U);
  EXPECT_EQ(hex_of(*array),
            "00000001"                  // dimensions
            "00000001"                  // has NULLs
            "00000014"                  // bigint
            "00000002"                  // elements
            "00000001"                  // first index
            "000000080000000000000001"  // 1
            "ffffffff");                // NULL
}

TEST(PostgresWireTest, EncodeArrayRefusesWrongTypesAndShortRows) {
  const std::vector<Row> rows{{Value::integer(1)}, {Value::text("1")}};
  const auto mixed = encode_array(ColumnType::integer, rows, 0);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_EQ(mixed.error().code(), ErrorCode::invalid_argument);
  const auto shorter = encode_array(ColumnType::integer, rows, 1);
  ASSERT_FALSE(shorter.has_value());
  EXPECT_EQ(shorter.error().code(), ErrorCode::invalid_argument);
}

TEST(PostgresWireTest, SqlstateSaysWhatTheCallerCanDo) {
  struct Case {
    std::string_view sqlstate;
    ErrorCode code;
  };
  constexpr Case kCases[] = {
      {"23505", ErrorCode::conflict},         {"40001", ErrorCode::conflict},
      {"40P01", ErrorCode::conflict},         {"40003", ErrorCode::unknown_outcome},
      {"55P03", ErrorCode::unavailable},      {"57014", ErrorCode::unavailable},
      {"57P01", ErrorCode::unavailable},      {"26000", ErrorCode::unavailable},
      {"53100", ErrorCode::unavailable},      {"58030", ErrorCode::unavailable},
      {"08006", ErrorCode::unavailable},      {"08P01", ErrorCode::invalid_argument},
      {"XX001", ErrorCode::corrupt},          {"XX002", ErrorCode::corrupt},
      {"42601", ErrorCode::invalid_argument}, {"22021", ErrorCode::invalid_argument},
      {"", ErrorCode::invalid_argument},
  };
  for (const auto& [sqlstate, code] : kCases) {
    EXPECT_EQ(error_of_sqlstate(sqlstate).code(), code) << sqlstate;
  }
  EXPECT_TRUE(is_disk_full(error_of_sqlstate("53100")));
  EXPECT_FALSE(is_disk_full(error_of_sqlstate("53200")));
}

}  // namespace
}  // namespace strongroom::storage

#include "storage/sql_text.h"

#include <gtest/gtest.h>

namespace strongroom::storage {
namespace {

constexpr Column kColumns[] = {
    {"id", ColumnType::bytes}, {"note", ColumnType::text}, {"uses", ColumnType::integer}};
constexpr ManySql kUpdate{"UPDATE card SET note = given.note FROM {given} WHERE card_id = given.id",
                          kColumns};

TEST(SqlTextTest, GivesArraysATable) {
  EXPECT_EQ(arrays_sql(kUpdate),
            "UPDATE card SET note = given.note FROM"
            " unnest($1::bytea[],$2::text[],$3::bigint[]) AS given(id,note,uses)"
            " WHERE card_id = given.id");
}

TEST(SqlTextTest, LocksRowsWhereOthersWrite) {
  constexpr ManySql kLock{.sql = "SELECT note FROM {given} JOIN card ON card_id = given.id",
                          .given = std::span(kColumns).first<1>(),
                          .locks = true};
  EXPECT_EQ(arrays_sql(kLock),
            "SELECT note FROM unnest($1::bytea[]) AS given(id) JOIN card ON card_id = given.id"
            " FOR NO KEY UPDATE");
  EXPECT_EQ(row_sql(kLock),
            "SELECT note FROM (SELECT $1 AS id) AS given JOIN card ON card_id = given.id");
}

TEST(SqlTextTest, GivesOneRowATable) {
  EXPECT_EQ(row_sql(kUpdate),
            "UPDATE card SET note = given.note FROM"
            " (SELECT $1 AS id,$2 AS note,$3 AS uses) AS given WHERE card_id = given.id");
}

}  // namespace
}  // namespace strongroom::storage

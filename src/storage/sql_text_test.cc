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

TEST(SqlTextTest, GivesOneRowATable) {
  EXPECT_EQ(row_sql(kUpdate),
            "UPDATE card SET note = given.note FROM"
            " (SELECT $1 AS id,$2 AS note,$3 AS uses) AS given WHERE card_id = given.id");
}

}  // namespace
}  // namespace strongroom::storage

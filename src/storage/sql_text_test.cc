#include "storage/sql_text.h"

#include <gtest/gtest.h>

namespace strongroom::storage {
namespace {

constexpr Column kColumns[] = {{"id", ColumnType::bytes}, {"note", ColumnType::text}};
constexpr InsertMany kInsert{"card", kColumns, "id"};
constexpr Column kSet[] = {{"note", ColumnType::text}, {"uses", ColumnType::integer}};
constexpr UpdateMany kUpdate{"card", {"id", ColumnType::bytes}, kSet, "uses < 3 OR note IS NULL"};
constexpr UpdateMany kUpdateAll{"card", {"id", ColumnType::bytes}, kSet};

TEST(SqlTextTest, InsertNamesColumnsAndParameters) {
  EXPECT_EQ(insert_arrays_sql(kInsert),
            "INSERT INTO card(id,note) SELECT * FROM unnest($1::bytea[],$2::text[])"
            " ON CONFLICT DO NOTHING RETURNING id");
  EXPECT_EQ(insert_row_sql(kInsert),
            "INSERT INTO card(id,note) VALUES($1,$2) ON CONFLICT DO NOTHING RETURNING id");
}

TEST(SqlTextTest, UpdateKeepsItsConditionTogether) {
  EXPECT_EQ(update_arrays_sql(kUpdate),
            "UPDATE card SET note=given.given_1,uses=given.given_2 FROM"
            " unnest($1::bytea[],$2::text[],$3::bigint[]) AS given(given_0,given_1,given_2)"
            " WHERE card.id=given.given_0 AND (uses < 3 OR note IS NULL)");
  EXPECT_EQ(update_row_sql(kUpdate),
            "UPDATE card SET note=$2,uses=$3 WHERE id=$1 AND (uses < 3 OR note IS NULL)");
}

TEST(SqlTextTest, UpdateWithoutConditionHasNone) {
  EXPECT_TRUE(update_arrays_sql(kUpdateAll).ends_with("WHERE card.id=given.given_0"));
  EXPECT_TRUE(update_row_sql(kUpdateAll).ends_with("WHERE id=$1"));
}

}  // namespace
}  // namespace strongroom::storage

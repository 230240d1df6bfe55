// Text of the two multi-row statements.
#include "storage/sql_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace strongroom::storage {
namespace {

std::string_view array_type(ColumnType type) {
  switch (type) {
    case ColumnType::integer:
      return "bigint[]";
    case ColumnType::text:
      return "text[]";
    case ColumnType::bytes:
      return "bytea[]";
  }
  return "";
}

std::string insert_head(const InsertMany& insert) {
  std::vector<std::string_view> names;
  for (const Column& column : insert.columns) names.push_back(column.name);
  return fmt::format("INSERT INTO {}({})", insert.table, fmt::join(names, ","));
}

std::string insert_tail(const InsertMany& insert) {
  return fmt::format(" ON CONFLICT DO NOTHING RETURNING {}", insert.returning);
}

std::string guard(const UpdateMany& update) {
  return update.where.empty() ? "" : fmt::format(" AND ({})", update.where);
}

}  // namespace

std::string insert_arrays_sql(const InsertMany& insert) {
  std::vector<std::string> arrays;
  for (const Column& column : insert.columns) {
    arrays.push_back(fmt::format("${}::{}", arrays.size() + 1, array_type(column.type)));
  }
  return fmt::format("{} SELECT * FROM unnest({}){}", insert_head(insert), fmt::join(arrays, ","),
                     insert_tail(insert));
}

std::string insert_row_sql(const InsertMany& insert) {
  std::vector<std::string> parameters;
  for (std::size_t i = 1; i <= insert.columns.size(); ++i)
    parameters.push_back(fmt::format("${}", i));
  return fmt::format("{} VALUES({}){}", insert_head(insert), fmt::join(parameters, ","),
                     insert_tail(insert));
}

std::string update_arrays_sql(const UpdateMany& update) {
  // The names given to the arrays are unlike any column's, so that `where` stays unambiguous.
  std::vector<std::string> sets;
  std::vector<std::string> names{"given_0"};
  std::vector<std::string> arrays{fmt::format("$1::{}", array_type(update.key.type))};
  for (const Column& column : update.set) {
    names.push_back(fmt::format("given_{}", names.size()));
    sets.push_back(fmt::format("{}=given.{}", column.name, names.back()));
    arrays.push_back(fmt::format("${}::{}", arrays.size() + 1, array_type(column.type)));
  }
  return fmt::format(
      "UPDATE {0} SET {1} FROM unnest({2}) AS given({3}) WHERE {0}.{4}=given.given_0{5}",
      update.table, fmt::join(sets, ","), fmt::join(arrays, ","), fmt::join(names, ","),
      update.key.name, guard(update));
}

std::string update_row_sql(const UpdateMany& update) {
  std::vector<std::string> sets;
  for (const Column& column : update.set) {
    sets.push_back(fmt::format("{}=${}", column.name, sets.size() + 2));
  }
  return fmt::format("UPDATE {} SET {} WHERE {}=$1{}", update.table, fmt::join(sets, ","),
                     update.key.name, guard(update));
}

}  // namespace strongroom::storage

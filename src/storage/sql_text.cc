// Putting the given rows into the text.
#include "storage/sql_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "base/try.h"

namespace strongroom::storage {
namespace {

constexpr std::string_view kGiven = "{given}";

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

std::string replace_given(std::string_view sql, std::string_view table) {
  const std::size_t at = sql.find(kGiven);
  SR_CHECK(at != std::string_view::npos);
  return fmt::format("{}{}{}", sql.substr(0, at), table, sql.substr(at + kGiven.size()));
}

}  // namespace

std::string arrays_sql(const ManySql& many) {
  std::vector<std::string_view> names;
  std::vector<std::string> arrays;
  for (const Column& column : many.given) {
    names.push_back(column.name);
    arrays.push_back(fmt::format("${}::{}", names.size(), array_type(column.type)));
  }
  return replace_given(many.sql, fmt::format("unnest({}) AS given({})", fmt::join(arrays, ","),
                                             fmt::join(names, ","))) +
         (many.locks ? " FOR NO KEY UPDATE" : "");
}

std::string row_sql(const ManySql& many) {
  std::vector<std::string> values;
  for (const Column& column : many.given) {
    values.push_back(fmt::format("${} AS {}", values.size() + 1, column.name));
  }
  return replace_given(many.sql, fmt::format("(SELECT {}) AS given", fmt::join(values, ",")));
}

}  // namespace strongroom::storage

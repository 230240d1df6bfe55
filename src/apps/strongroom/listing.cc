// Pages of a daemon's list, put together.
#include "apps/strongroom/listing.h"

#include <fmt/core.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/table.h"

namespace strongroom::tool {
namespace {

std::string cell(const boost::json::object& object, std::string_view column) {
  const boost::json::value* value = object.if_contains(column);
  if (value != nullptr && value->is_int64()) return std::to_string(value->get_int64());
  return member(object, column);
}

std::vector<std::string> cells(const boost::json::object& object,
                               std::span<const std::string_view> columns) {
  std::vector<std::string> row;
  for (const std::string_view column : columns) row.push_back(cell(object, column));
  return row;
}

}  // namespace

std::expected<boost::json::array, int> list_all(const Context& context, std::string_view daemon,
                                                const std::string& path) {
  boost::json::array all;
  std::string target = path;
  while (true) {
    auto page = ask_admin(context, daemon, http::Method::get, target);
    if (!page) return std::unexpected(page.error());
    for (boost::json::value& item : (*page)["data"].as_array()) all.push_back(std::move(item));
    const std::string next = member(*page, "next");
    if (next == "-") return all;
    target = fmt::format("{}{}after={}", path, path.contains('?') ? '&' : '?', next);
  }
}

int print_list(const Context& context, std::string_view daemon, const std::string& path,
               std::span<const std::string_view> columns) {
  const auto all = list_all(context, daemon, path);
  if (!all) return all.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*all));
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{{columns.begin(), columns.end()}};
  for (const boost::json::value& item : *all) rows.push_back(cells(item.as_object(), columns));
  fmt::print("{}", table(rows));
  return kOk;
}

}  // namespace strongroom::tool

// Lists that daemons give page by page.
#pragma once

#include <boost/json/array.hpp>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Every item of the list at `path` of `daemon`'s admin socket, its pages followed to the end; or
// the exit status after the reason was printed.
[[nodiscard]] std::expected<boost::json::array, int> list_all(const Context& context,
                                                              std::string_view daemon,
                                                              const std::string& path);

// Prints that list, as a table of `columns` or as JSON, and gives the exit status.
int print_list(const Context& context, std::string_view daemon, const std::string& path,
               std::span<const std::string_view> columns);

}  // namespace strongroom::tool

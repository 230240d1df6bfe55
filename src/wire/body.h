// One shape for parsers of JSON bodies: read an object's members through an ObjectReader, give the
// parsed form or the first problem.
#pragma once

#include <boost/json/monotonic_resource.hpp>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "wire/json.h"
#include "wire/parsed.h"

namespace strongroom::wire {

// Parses `body` and gives it to `read`, which takes an ObjectReader& and returns a std::optional of
// the parsed form: empty only after a problem. Views into the body's texts end with the call.
template <class Read>
[[nodiscard]] auto parse_body(std::string_view body, Read read)
    -> Parsed<typename decltype(read(std::declval<ObjectReader&>()))::value_type> {
  boost::json::monotonic_resource memory;
  SR_TRY(const boost::json::value document, parse_strict(body, &memory));
  SR_TRY(const boost::json::object* object, as_object(document));
  ObjectReader reader(*object);
  auto parsed = read(reader);
  if (const auto problem = reader.finish()) return std::unexpected(*problem);
  return *std::move(parsed);
}

}  // namespace strongroom::wire

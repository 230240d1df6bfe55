// What parse_strict takes, it takes again as Boost.JSON writes it, with the same content; and its
// depth and keys keep the rules.
#include <boost/json/serialize.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/try.h"
#include "wire/json.h"

namespace strongroom::wire {
namespace {

namespace json = boost::json;

void check_depth(const json::value& value, std::size_t left) {
  if (const json::object* object = value.if_object()) {
    SR_CHECK(left > 0);
    for (const auto& member : *object) check_depth(member.value(), left - 1);
  } else if (const json::array* array = value.if_array()) {
    SR_CHECK(left > 0);
    for (const json::value& element : *array) check_depth(element, left - 1);
  }
}

// A double is written in its shortest form, which may read back as an integer's kind or rounded.
bool has_double(const json::value& value) {
  if (value.is_double()) return true;
  if (const json::object* object = value.if_object()) {
    for (const auto& member : *object) {
      if (has_double(member.value())) return true;
    }
  } else if (const json::array* array = value.if_array()) {
    for (const json::value& element : *array) {
      if (has_double(element)) return true;
    }
  }
  return false;
}

// Every way of reading, on whatever is there: none may fail but by a problem.
void read_as_card(const json::object& object) {
  ObjectReader reader(object);
  (void)reader.text("#/number", {.min = 12, .max = 19});
  (void)reader.integer_or_none("#/exp_month", 1, 12);
  (void)reader.flag_or("#/capture", true);
  (void)reader.object_or_none("#/card");
  (void)reader.array_or_none("#/scopes", 4);
  const bool known = reader.ok();
  SR_CHECK(!reader.finish().has_value() || !known || object.size() > 0);
}

void check(std::string_view text) {
  const auto value = parse_strict(text, {});
  if (!value) return;
  check_depth(*value, kJsonDepthMax);
  if (value->is_object()) read_as_card(value->get_object());
  const std::string written = json::serialize(*value);
  const auto again = parse_strict(written, {});
  SR_CHECK(again.has_value());
  SR_CHECK(has_double(*value) || *again == *value);
}

}  // namespace
}  // namespace strongroom::wire

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::wire::check({reinterpret_cast<const char*>(data), size});
  return 0;
}

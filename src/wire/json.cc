// Strict JSON over Boost.JSON's incremental parser: its handler interface shows every key, which
// the ready-made parser does not, so that duplicates are seen.
#include "wire/json.h"

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>
#include <new>
#include <utility>

#include "base/secret.h"

namespace strongroom::wire {
namespace {

namespace json = boost::json;

// Builds the value and counts the members that the text has.
struct Handler {
  // NOLINTBEGIN(readability-identifier-naming): the parser's names
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();
  // NOLINTEND(readability-identifier-naming)

  explicit Handler(json::storage_ptr storage) : stack(storage) { stack.reset(std::move(storage)); }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t size, json::error_code&) {
    stack.push_array(size);
    return true;
  }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t size, json::error_code&) {
    members += size;
    stack.push_object(size);
    return true;
  }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
    stack.push_chars(text);
    return true;
  }
  bool on_string(json::string_view text, std::size_t, json::error_code&) {
    stack.push_string(text);
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, json::error_code&) {
    stack.push_chars(text);
    return true;
  }
  bool on_key(json::string_view text, std::size_t, json::error_code&) {
    stack.push_key(text);
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
    stack.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
    stack.push_uint64(number);
    return true;
  }
  // 1e999 parses to infinity, which no JSON text can say again.
  bool on_double(double number, json::string_view, json::error_code& error) {
    if (!std::isfinite(number)) {
      error = json::error::exponent_overflow;
      return false;
    }
    stack.push_double(number);
    return true;
  }
  bool on_bool(bool flag, json::error_code&) {
    stack.push_bool(flag);
    return true;
  }
  bool on_null(json::error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  json::value_stack stack;
  std::size_t members = 0;
};

// The depth is bounded by the parser, so recursion is too.
std::size_t count_members(const json::value& value) noexcept {
  std::size_t count = 0;
  if (const json::object* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) count += count_members(member.value());
  } else if (const json::array* array = value.if_array()) {
    for (const json::value& element : *array) count += count_members(element);
  }
  return count;
}

// The parser unescapes strings in a buffer on the thread's stack, where digits written as \u0034
// would stay: this overwrites the stack below the caller.
[[gnu::noinline]] void wipe_stack_below() noexcept {
  std::array<std::byte, std::size_t{16} << 10> below;
  wipe(below);
}

std::expected<json::value, Problem> parse(std::string_view text, json::storage_ptr storage) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::error_code error;
  json::basic_parser<Handler> parser(options, std::move(storage));
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  const bool whole = !error && used == text.size() && parser.done();
  if (text.find('\\') != std::string_view::npos) wipe_stack_below();
  static_assert(kJsonDepthMax == 16);
  if (!whole) {
    return std::unexpected(Problem{ProblemType::malformed_json,
                                   "send one JSON text in UTF-8, at most 16 levels deep"});
  }

  json::value value = parser.handler().stack.release();
  // Of two equal keys only the last is in the value, whatever lay below the first.
  if (count_members(value) != parser.handler().members) {
    return std::unexpected(Problem{.type = ProblemType::duplicate_key});
  }
  return value;
}

}  // namespace

std::expected<json::value, Problem> parse_strict(std::string_view text, json::storage_ptr storage) {
  try {
    return parse(text, std::move(storage));
  } catch (const std::bad_alloc&) {  // the one way in which a memory resource can say no
    return std::unexpected(Problem{.type = ProblemType::overloaded});
  }
}

std::expected<const json::object*, Problem> as_object(const json::value& value) noexcept {
  if (const json::object* object = value.if_object()) return object;
  return std::unexpected(
      Problem{.type = ProblemType::wrong_type, .detail = "must be an object", .pointer = "#"});
}

}  // namespace strongroom::wire

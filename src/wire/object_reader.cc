// ObjectReader: one rule per type, the first broken one is kept.
#include <boost/json/string.hpp>

#include "base/try.h"
#include "wire/json.h"

namespace strongroom::wire {

namespace json = boost::json;

void ObjectReader::refuse(Problem problem) noexcept {
  if (!problem_) problem_ = problem;
}

// The member when it is there and not null. Both count as known.
const json::value* ObjectReader::find(Member member) {
  const json::value* value = object_.if_contains(member.key());
  if (value == nullptr) return nullptr;
  ++known_;
  return value->is_null() ? nullptr : value;
}

const json::value* ObjectReader::require(Member member) {
  const json::value* value = find(member);
  if (value == nullptr) {
    refuse({ProblemType::missing_field, "is required", member.pointer()});
  }
  return ok() ? value : nullptr;
}

std::string_view ObjectReader::read_text(const json::value& value, Member member,
                                         TextLength length) {
  const json::string* text = value.if_string();
  if (text == nullptr) {
    refuse({ProblemType::wrong_type, "must be a string", member.pointer()});
    return {};
  }
  if (text->size() < length.min || text->size() > length.max) {
    refuse({ProblemType::invalid_value, length.told, member.pointer()});
    return {};
  }
  return {text->data(), text->size()};
}

std::int64_t ObjectReader::read_integer(const json::value& value, Member member, std::int64_t min,
                                        std::int64_t max, Literal told) {
  // Numbers beyond int64 are integers of an impossible size; those with a fraction or an exponent
  // are none.
  if (!value.is_int64() && !value.is_uint64()) {
    refuse({ProblemType::wrong_type, "must be an integer", member.pointer()});
    return 0;
  }
  const std::int64_t* number = value.if_int64();
  if (number == nullptr || *number < min || *number > max) {
    refuse({ProblemType::invalid_value, told, member.pointer()});
    return 0;
  }
  return *number;
}

bool ObjectReader::read_flag(const json::value& value, Member member) {
  const bool* flag = value.if_bool();
  if (flag == nullptr) refuse({ProblemType::wrong_type, "must be a boolean", member.pointer()});
  return flag != nullptr && *flag;
}

const json::object* ObjectReader::read_object(const json::value& value, Member member) {
  const json::object* object = value.if_object();
  if (object == nullptr) refuse({ProblemType::wrong_type, "must be an object", member.pointer()});
  return object;
}

const json::array* ObjectReader::read_array(const json::value& value, Member member,
                                            std::size_t size_max) {
  const json::array* array = value.if_array();
  if (array == nullptr) {
    refuse({ProblemType::wrong_type, "must be an array", member.pointer()});
    return nullptr;
  }
  if (array->size() > size_max) {
    refuse({ProblemType::invalid_value, "has too many elements", member.pointer()});
    return nullptr;
  }
  return array;
}

std::string_view ObjectReader::text(Member member, TextLength length) {
  const json::value* value = require(member);
  return value == nullptr ? std::string_view{} : read_text(*value, member, length);
}

std::optional<std::string_view> ObjectReader::text_or_none(Member member, TextLength length) {
  const json::value* value = find(member);
  if (value == nullptr || !ok()) return std::nullopt;
  const std::string_view text = read_text(*value, member, length);
  return ok() ? std::optional(text) : std::nullopt;
}

std::int64_t ObjectReader::integer(Member member, std::int64_t min, std::int64_t max,
                                   Literal told) {
  const json::value* value = require(member);
  return value == nullptr ? 0 : read_integer(*value, member, min, max, told);
}

std::optional<std::int64_t> ObjectReader::integer_or_none(Member member, std::int64_t min,
                                                          std::int64_t max, Literal told) {
  const json::value* value = find(member);
  if (value == nullptr || !ok()) return std::nullopt;
  const std::int64_t number = read_integer(*value, member, min, max, told);
  return ok() ? std::optional(number) : std::nullopt;
}

bool ObjectReader::flag(Member member) {
  const json::value* value = require(member);
  return value != nullptr && read_flag(*value, member);
}

bool ObjectReader::flag_or(Member member, bool fallback) {
  const json::value* value = find(member);
  if (value == nullptr) return fallback;
  return ok() && read_flag(*value, member);
}

const json::object* ObjectReader::object(Member member) {
  const json::value* value = require(member);
  return value == nullptr ? nullptr : read_object(*value, member);
}

const json::object* ObjectReader::object_or_none(Member member) {
  const json::value* value = find(member);
  return value == nullptr || !ok() ? nullptr : read_object(*value, member);
}

const json::array* ObjectReader::array(Member member, std::size_t size_max) {
  const json::value* value = require(member);
  return value == nullptr ? nullptr : read_array(*value, member, size_max);
}

const json::array* ObjectReader::array_or_none(Member member, std::size_t size_max) {
  const json::value* value = find(member);
  return value == nullptr || !ok() ? nullptr : read_array(*value, member, size_max);
}

std::optional<Problem> ObjectReader::finish(Literal known) {
  if (known_ != object_.size()) refuse({.type = ProblemType::unknown_field, .detail = known});
  return problem_;
}

}  // namespace strongroom::wire

// Strict JSON: parse once into a value whose every byte lies in the caller's storage, then read
// members through types that refuse what is not expected.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/storage_ptr.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "wire/problem.h"

namespace strongroom::wire {

inline constexpr std::size_t kJsonDepthMax = 16;

// Parses one JSON text (RFC 8259). Values, and the parser's own stack, lie in `storage` alone, so a
// card body parsed into the secret arena leaves no copy elsewhere. Problems: malformed_json (also
// trailing text, invalid UTF-8, a number beyond a double, more than kJsonDepthMax levels),
// duplicate_key (RFC 8259 section 4 lets parsers disagree on those, which hides one value from a
// check), overloaded (the storage is used up: its std::bad_alloc ends here).
[[nodiscard]] std::expected<boost::json::value, Problem> parse_strict(
    std::string_view text, boost::json::storage_ptr storage);

// Member names one member of an object by its whole pointer, "#/card/number"; the key is what
// follows the last slash. One literal serves the look-up and the problem.
class Member {
 public:
  template <std::size_t N>
  consteval Member(const char (&pointer)[N]) : pointer_(pointer) {  // NOLINT: a literal is one
    const std::string_view text(pointer, N - 1);
    key_ = text.substr(text.rfind('/') + 1);
  }
  constexpr std::string_view key() const noexcept { return key_; }
  constexpr Literal pointer() const noexcept { return pointer_; }

 private:
  Literal pointer_;
  std::string_view key_;
};

// Length of a text in bytes, both ends included, and what is said of another one.
struct TextLength {
  std::size_t min = 0;
  std::size_t max = 0;
  Literal told{"has a length that is not allowed"};
};
inline constexpr Literal kOutOfRange{"is out of range"};

// ObjectReader reads the members of one object and keeps the first problem: missing_field,
// wrong_type, invalid_value (length or range), and at the end unknown_field. After a problem the
// reads give empty values. An optional member that is null counts as absent. Views live as long as
// the object. REQUIRES: each member is read once.
class ObjectReader {
 public:
  explicit ObjectReader(const boost::json::object& object) noexcept : object_(object) {}

  [[nodiscard]] std::string_view text(Member member, TextLength length);
  [[nodiscard]] std::optional<std::string_view> text_or_none(Member member, TextLength length);
  // `told` is said of a number beyond the bounds.
  [[nodiscard]] std::int64_t integer(Member member, std::int64_t min, std::int64_t max,
                                     Literal told = kOutOfRange);
  [[nodiscard]] std::optional<std::int64_t> integer_or_none(Member member, std::int64_t min,
                                                            std::int64_t max,
                                                            Literal told = kOutOfRange);
  [[nodiscard]] bool flag(Member member);
  [[nodiscard]] bool flag_or(Member member, bool fallback);
  // Null after a problem, or when an optional member is absent.
  [[nodiscard]] const boost::json::object* object(Member member);
  [[nodiscard]] const boost::json::object* object_or_none(Member member);
  [[nodiscard]] const boost::json::array* array(Member member, std::size_t size_max);
  [[nodiscard]] const boost::json::array* array_or_none(Member member, std::size_t size_max);

  // Notes `problem` unless there is one already: for the checks that are the caller's own.
  void refuse(Problem problem) noexcept;
  [[nodiscard]] bool ok() const noexcept { return !problem_.has_value(); }
  // The first problem of all, once every known member was read; `known` says which those are to
  // who sent another.
  [[nodiscard]] std::optional<Problem> finish(Literal known = {});

 private:
  const boost::json::value* find(Member member);
  const boost::json::value* require(Member member);
  std::string_view read_text(const boost::json::value& value, Member member, TextLength length);
  std::int64_t read_integer(const boost::json::value& value, Member member, std::int64_t min,
                            std::int64_t max, Literal told);
  bool read_flag(const boost::json::value& value, Member member);
  const boost::json::object* read_object(const boost::json::value& value, Member member);
  const boost::json::array* read_array(const boost::json::value& value, Member member,
                                       std::size_t size_max);

  const boost::json::object& object_;
  std::size_t known_ = 0;
  std::optional<Problem> problem_;
};

// The object that a request's body must be: wrong_type when `value` is none.
[[nodiscard]] std::expected<const boost::json::object*, Problem> as_object(
    const boost::json::value& value) noexcept;

}  // namespace strongroom::wire

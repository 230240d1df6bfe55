// Structured log lines for people and log shippers: one JSON object per line on standard error. Not
// the audit log. Every string and number from outside passes the PAN filter (pan_scan.h); names are
// literals.
//
//   log::info("listening", {{"address", address}, {"port", port}});
//   {"time":"2026-11-21T22:00:00.123Z","level":"info","process":"vaultd","event":"listening",
//    "address":"127.0.0.1","port":8443}
//
// An Error is an object {"code","what","detail"?}. A line in which the filter masked something ends
// with "masked":true. The logger is one per process, like the stream it writes to; all calls are
// thread-safe, and a line is one write(2), so lines of threads never mix. A line that cannot be
// written is dropped: logging never fails its caller.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace strongroom::log {

enum class Level : std::uint8_t { debug, info, warn, error };

// "debug", "info", "warn" or "error"; invalid_argument.
[[nodiscard]] Result<Level> parse_level(std::string_view name) noexcept;

// Lines below `level` are dropped from now on (info at start). May be called at any time.
void set_level(Level level) noexcept;
// True when a line of `level` would be written: ask before computing a costly value.
[[nodiscard]] bool enabled(Level level) noexcept;
// Names the process in every line: the first 63 bytes of `name`. Call before threads start.
void set_process(std::string_view name) noexcept;

// Name is text known when the program is compiled, so no data can become an event or a key.
class Name {
 public:
  template <std::size_t N>
  consteval Name(const char (&text)[N]) : text_(text, N - 1) {}  // NOLINT(google-*)
  [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

 private:
  std::string_view text_;
};

// Value is what a field may hold; it borrows text until the call returns. Text is cut at 1,024
// bytes (after masking); bytes that are not UTF-8 become U+FFFD.
class Value {
 public:
  Value(std::string_view text) noexcept : value_(text) {}                      // NOLINT(google-*)
  Value(const std::string& text) noexcept : value_(std::string_view(text)) {}  // NOLINT(google-*)
  Value(const char* text) noexcept : value_(std::string_view(text)) {}         // NOLINT(google-*)
  Value(bool flag) noexcept : value_(flag) {}                                  // NOLINT(google-*)
  template <std::signed_integral T>
  Value(T number) noexcept : value_(std::int64_t{number}) {}  // NOLINT(google-*)
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Value(T number) noexcept : value_(std::uint64_t{number}) {}  // NOLINT(google-*)
  Value(const Error& error) noexcept : value_(error) {}        // NOLINT(google-*)

  using Variant = std::variant<std::string_view, bool, std::int64_t, std::uint64_t, Error>;
  [[nodiscard]] const Variant& variant() const noexcept { return value_; }

 private:
  Variant value_;
};

struct Field {
  Field(Name key_name, Value field_value) noexcept : key(key_name), value(field_value) {}
  Name key;
  Value value;
};
using Fields = std::initializer_list<Field>;

void debug(Name event, Fields fields = {}) noexcept;
void info(Name event, Fields fields = {}) noexcept;
void warn(Name event, Fields fields = {}) noexcept;
void error(Name event, Fields fields = {}) noexcept;

// The line, with its final newline, that a call at `unix_us` writes.
[[nodiscard]] std::string format_line(Level level, std::int64_t unix_us, Name event, Fields fields);

}  // namespace strongroom::log

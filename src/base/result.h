// Result and Error: how every call that can fail says so. An Error is made of a literal, so no
// runtime text (and with it no card data) can travel in one.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace strongroom {

// ErrorCode says what the caller can do about a failure.
enum class ErrorCode : std::uint8_t {
  invalid_argument,   // the caller's input is wrong; the same call fails again
  not_found,          // no such object
  permission_denied,  // the caller may not do this, or a signature or tag does not verify
  conflict,           // the object is in another state than the call needs
  gone,               // the object existed and was removed
  exhausted,          // a bound of ours is reached (queue, memory, counter)
  rate_limited,       // the caller's budget is used up
  too_large,          // the input exceeds a documented limit
  sealed,             // the keys are not loaded
  unavailable,        // a neighbor (disk, HSM, database, process) does not answer; try again
  unknown_outcome,    // the effect may or may not have happened
  corrupt,            // stored data is not what was written
};

// The name of `code` as it is declared: "invalid_argument".
[[nodiscard]] constexpr std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::permission_denied:
      return "permission_denied";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::gone:
      return "gone";
    case ErrorCode::exhausted:
      return "exhausted";
    case ErrorCode::rate_limited:
      return "rate_limited";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::sealed:
      return "sealed";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::unknown_outcome:
      return "unknown_outcome";
    case ErrorCode::corrupt:
      return "corrupt";
  }
  return "invalid_argument";  // unreachable: every enumerator is above
}

// Error is a code, a literal and a small number. It never holds text from outside.
class Error {
 public:
  template <std::size_t N>
  consteval Error(ErrorCode code, const char (&what)[N]) : code_(code), what_(what, N - 1) {}

  // The same error with `detail` set: a line, row, errno or CK_RV. Too small for a PAN.
  [[nodiscard]] constexpr Error with_detail(std::uint32_t detail) const noexcept {
    Error copy = *this;
    copy.detail_ = detail;
    return copy;
  }
  constexpr ErrorCode code() const noexcept { return code_; }
  constexpr std::string_view what() const noexcept { return what_; }
  constexpr std::uint32_t detail() const noexcept { return detail_; }

 private:
  ErrorCode code_;
  std::uint32_t detail_ = 0;
  std::string_view what_;
};

// Result is a value or an Error. Dropping one is a compile error.
template <class T>
struct [[nodiscard]] Result : std::expected<T, Error> {
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(error); }

}  // namespace strongroom

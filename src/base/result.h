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

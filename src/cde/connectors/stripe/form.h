// Form: application/x-www-form-urlencoded with Stripe's bracketed keys, written straight into
// secret memory: a card's digits and a verification code pass through it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom::cde::stripe {

class Form {
 public:
  static constexpr std::size_t kSizeMax = 4096;

  // exhausted: secret memory is used up.
  [[nodiscard]] static Result<Form> create();

  // `key` is a literal as it goes out ("card[number]"); `value` is percent-encoded. What does not
  // fit any more makes bytes() fail.
  template <std::size_t N>
  Form& add(const char (&key)[N], std::string_view value) {
    return append({key, N - 1}, value);
  }
  template <std::size_t N>
  Form& add(const char (&key)[N], std::int64_t value) {
    return append({key, N - 1}, std::to_string(value));
  }

  // Valid while *this lives and nothing is added. too_large: more than kSizeMax.
  [[nodiscard]] Result<std::span<const std::byte>> bytes() const&;

 private:
  explicit Form(SecretBytes bytes) noexcept : bytes_(std::move(bytes)) {}
  Form& append(std::string_view key, std::string_view value);
  void put(std::string_view text) noexcept;

  SecretBytes bytes_;
  std::size_t size_ = 0;
  bool full_ = false;
};

// `text` percent-encoded, for a query (RFC 3986 section 2.1).
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace strongroom::cde::stripe

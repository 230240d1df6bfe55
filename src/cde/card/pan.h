// Pan: the primary account number, the one thing Strongroom exists to keep. It is parsed once,
// lives in the secret arena, and only files listed in tools/reveal.allow can see its digits.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "base/result.h"
#include "base/secret.h"

namespace strongroom::cde {

// Permission to see a clear PAN. tools/reveal.allow lists every file that may call grant().
class PanReveal {
 public:
  static PanReveal grant() noexcept { return PanReveal{}; }

 private:
  PanReveal() = default;
};

// Why a text is not a PAN.
enum class PanFault : std::uint8_t { not_digits, length, check_digit, no_memory };

// The card networks that a PAN's first digits name.
enum class Brand : std::uint8_t {
  visa,
  mastercard,
  american_express,
  discover,
  diners_club,
  jcb,
  unionpay,
  maestro,
  unknown
};
[[nodiscard]] std::string_view to_string(Brand brand) noexcept;

// A Pan is 12 (our floor) to 19 ASCII digits with a valid check digit (ISO/IEC 7812-1 annex B).
// Moving empties the source; destruction wipes. To compare, use its fingerprint; to show, bin and
// last4.
class Pan {
 public:
  static constexpr std::size_t kDigitsMin = 12;
  static constexpr std::size_t kDigitsMax = 19;

  [[nodiscard]] static std::expected<Pan, PanFault> parse(std::string_view digits);

  // Clear digits; valid while *this lives and is not moved from.
  [[nodiscard]] std::string_view reveal(PanReveal) const& noexcept {
    return as_text(digits_.reveal());
  }
  std::string_view reveal(PanReveal) && = delete;  // no view into a temporary

  [[nodiscard]] Brand brand() const noexcept;
  // The first six digits, or fewer of a PAN under 16 digits, and the last four: the one truncation
  // format of the product. Six digits or more stay hidden (PCI DSS 3.4.1, 3.5.1).
  [[nodiscard]] std::string bin() const;
  [[nodiscard]] std::string last4() const;
  // True in the ranges that networks and processors publish for tests: all that the demo profile
  // takes.
  [[nodiscard]] bool is_in_test_range() const noexcept;
  // True for a number that a processor documents as a test card: what the production profile
  // refuses.
  [[nodiscard]] bool is_documented_test_number() const noexcept;

  // Whether `other` is the same number, in constant time: the last check of what a fingerprint
  // found.
  [[nodiscard]] bool is_same_number(const Pan& other) const noexcept;

  bool operator==(const Pan&) const = delete;
  friend std::ostream& operator<<(std::ostream&, const Pan&) = delete;

 private:
  explicit Pan(SecretBytes digits) noexcept : digits_(std::move(digits)) {}
  SecretBytes digits_;
};

}  // namespace strongroom::cde

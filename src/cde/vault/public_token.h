// PublicToken: what a merchant holds instead of a card number: `tok_` and 128 random bits in
// lower-case base32. A reference, not a secret; it says nothing about the card and cannot be
// mistaken for a PAN.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace strongroom::cde {

class PublicToken {
 public:
  static constexpr std::size_t kTextSize = 4 + 26;

  [[nodiscard]] static PublicToken generate(crypto::Random& random);
  // invalid_argument unless `text` is of the form that generate() makes.
  [[nodiscard]] static Result<PublicToken> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  // SHA3-512 of the text: the vault database's key to the row, which does not hold the token in
  // clear.
  [[nodiscard]] crypto::Sha3Digest512 hash() const;

  bool operator==(const PublicToken&) const = default;

 private:
  explicit PublicToken(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace strongroom::cde

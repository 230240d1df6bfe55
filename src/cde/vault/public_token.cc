// Making and reading public tokens.
#include "cde/vault/public_token.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/pan_scan.h"

namespace strongroom::cde {
namespace {

constexpr std::string_view kPrefix = "tok_";

bool is_base32(char c) { return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'); }

}  // namespace

PublicToken PublicToken::generate(crypto::Random& random) {
  std::array<std::byte, 16> bits;
  std::string text;
  do {  // one in 500 million would be refused, and masked in the log, as a card number
    random.fill(bits);
    text = std::string(kPrefix) + base32(bits);
  } while (looks_like_pan(text));
  return PublicToken(std::move(text));
}

Result<PublicToken> PublicToken::parse(std::string_view text) {
  if (text.size() != kTextSize || !text.starts_with(kPrefix) ||
      !std::ranges::all_of(text.substr(kPrefix.size()), is_base32)) {
    return fail({ErrorCode::invalid_argument, "not a token"});
  }
  return PublicToken(std::string(text));
}

crypto::Sha3Digest512 PublicToken::hash() const { return crypto::sha3_512(as_bytes(text_)); }

}  // namespace strongroom::cde

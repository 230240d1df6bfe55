// Making and reading key texts.
#include "connected/auth/api_key.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::connected::auth {
namespace {

constexpr std::size_t kSecretTextSize = 52;    // base32 of 32 bytes
constexpr std::size_t kPublicIdTextSize = 26;  // base32 of 16 bytes
constexpr std::string_view kScheme = "bearer ";

constexpr std::string_view key_prefix(Profile profile) noexcept {
  return profile == Profile::production ? "sk_live_" : "sk_test_";
}

bool is_base32(std::string_view text) noexcept {
  return std::ranges::all_of(
      text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'); });
}

}  // namespace

Result<NewKeyText> make_key_text(crypto::Random& random, Profile profile) {
  SR_TRY(const SecretBytes secret, crypto::random_secret(random, kKeySecretBytes));
  std::string encoded = base32(secret.reveal());
  const std::string_view prefix = key_prefix(profile);
  NewKeyText key;
  SR_TRY(key.text, SecretBytes::allocate(prefix.size() + encoded.size()));
  std::ranges::copy(as_bytes(prefix), key.text.reveal().begin());
  std::ranges::copy(as_bytes(encoded), key.text.reveal().subspan(prefix.size()).begin());
  wipe(std::as_writable_bytes(std::span(encoded)));
  // edged would take it for a card number.
  if (looks_like_pan(as_text(key.text.reveal()))) return make_key_text(random, profile);
  key.prefix = as_text(key.text.reveal()).substr(0, kKeyPrefixSize);
  key.hash = crypto::sha256(key.text.reveal());
  return key;
}

Result<crypto::Sha256Digest> hash_key_text(std::string_view text, Profile profile) {
  const std::string_view prefix = key_prefix(profile);
  if (text.size() != prefix.size() + kSecretTextSize || !text.starts_with(prefix) ||
      !is_base32(text.substr(prefix.size()))) {
    return fail({ErrorCode::permission_denied, "not an API key of this deployment"});
  }
  return crypto::sha256(as_bytes(text));
}

std::string_view bearer_key(std::string_view authorization) noexcept {
  if (authorization.size() <= kScheme.size()) return {};
  const bool bearer = std::ranges::equal(
      authorization.substr(0, kScheme.size()), kScheme, [](char sent, char wanted) {
        return (sent | ((sent >= 'A' && sent <= 'Z') ? 0x20 : 0)) == wanted;
      });
  return bearer ? authorization.substr(kScheme.size()) : std::string_view{};
}

std::string make_public_id(std::string_view prefix, crypto::Random& random) {
  std::array<std::byte, 16> bytes;
  std::string id;
  do {  // one in 500 million would be refused, and masked in the log, as a card number
    random.fill(bytes);
    id = std::string(prefix) + base32(bytes);
  } while (looks_like_pan(id));
  return id;
}

bool is_public_id(std::string_view text, std::string_view prefix) noexcept {
  return text.size() == prefix.size() + kPublicIdTextSize && text.starts_with(prefix) &&
         is_base32(text.substr(prefix.size()));
}

}  // namespace strongroom::connected::auth

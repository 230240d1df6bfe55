// API keys as text: `sk_test_` or `sk_live_` and 256 random bits in lower-case base32. The text is
// shown once; only its hash is kept.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace strongroom::connected::auth {

inline constexpr std::size_t kKeySecretBytes = 32;
inline constexpr std::size_t kKeyPrefixSize = 12;  // what stays visible: "sk_test_ab12"

struct NewKeyText {
  SecretBytes text;           // 60 characters, to be shown once
  std::string prefix;         // its first kKeyPrefixSize characters
  crypto::Sha256Digest hash;  // SHA-256 of the text
};
// A fresh key; `sk_live_` in production. exhausted.
[[nodiscard]] Result<NewKeyText> make_key_text(crypto::Random& random, Profile profile);

// The hash of a key that a client sent. permission_denied unless it has the exact form of a key of
// this profile: a test key never opens a live deployment. SHA-256 without salt or stretching is
// enough for 256 random bits: there is nothing to guess.
[[nodiscard]] Result<crypto::Sha256Digest> hash_key_text(std::string_view text, Profile profile);

// The key in an Authorization field: "Bearer sk_...", the scheme in any case (RFC 9110, section
// 11.1). Empty when it is anything else.
[[nodiscard]] std::string_view bearer_key(std::string_view authorization) noexcept;

// A new public identifier: `prefix` and 128 random bits in lower-case base32.
[[nodiscard]] std::string make_public_id(std::string_view prefix, crypto::Random& random);
inline constexpr std::string_view kMerchantPrefix = "mer_";
inline constexpr std::string_view kKeyIdPrefix = "key_";
// True when `text` has the form that make_public_id gives for `prefix`.
[[nodiscard]] bool is_public_id(std::string_view text, std::string_view prefix) noexcept;

}  // namespace strongroom::connected::auth

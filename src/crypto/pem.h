// PEM (RFC 7468) to OpenSSL's objects and back; internal to crypto.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/openssl.h"

namespace strongroom::crypto::pem {

// invalid_argument unless `text` holds exactly one certificate.
[[nodiscard]] Result<openssl::X509Ptr> parse_certificate(std::string_view text);
// invalid_argument unless `text` begins with an unencrypted private key.
[[nodiscard]] Result<openssl::KeyPtr> parse_private_key(const SecretBytes& text);

[[nodiscard]] std::string certificate_text(const X509& certificate);
// PKCS#8 (RFC 5958), unencrypted. exhausted.
[[nodiscard]] Result<SecretBytes> private_key_text(const EVP_PKEY& key);

}  // namespace strongroom::crypto::pem

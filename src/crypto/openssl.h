// The module's view of OpenSSL 3: owning pointers, byte pointers and algorithms fetched once.
// Included by .cc files of this module only; no header of ours shows OpenSSL to its users.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"

namespace strongroom::crypto::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, Deleter<EVP_KDF_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

// OpenSSL's view of bytes to read. Never null: a null pointer asks many of its calls for something
// else.
inline const unsigned char* data(std::span<const std::byte> bytes) noexcept {
  static constexpr unsigned char kNothing = 0;
  return bytes.empty() ? &kNothing : reinterpret_cast<const unsigned char*>(bytes.data());
}
// OpenSSL's view of bytes to write.
inline unsigned char* out(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// A failure after a call of OpenSSL. Empties the thread's error queue: SSL_get_error reads it and
// would take our leftovers for an error of its connection.
inline std::unexpected<Error> fail_clean(Error error) {
  ERR_clear_error();
  return fail(error);
}

// Algorithms of the default provider, fetched on first use and kept: a fetch per call costs more
// than the call (implicit fetches take a lock and do not scale). Thread-safe.
EVP_CIPHER* aes_256_gcm();
EVP_MD* sha_256();
EVP_MD* sha3_512();
EVP_MAC* hmac();
EVP_KDF* hkdf();
EVP_KDF* pbkdf2();

}  // namespace strongroom::crypto::openssl

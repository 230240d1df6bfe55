#include "crypto/openssl.h"

#include "base/try.h"

namespace strongroom::crypto::openssl {
namespace {

// Kept for the life of the process: a static pointer needs no order of destruction against
// OpenSSL's own clean-up at exit.
template <class T>
T* fetched(T* algorithm) {
  SR_CHECK(algorithm != nullptr);  // the default provider has them all, or nothing works
  return algorithm;
}

}  // namespace

EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const cipher = fetched(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  return cipher;
}
EVP_MD* sha_256() {
  static EVP_MD* const digest = fetched(EVP_MD_fetch(nullptr, "SHA2-256", nullptr));
  return digest;
}
EVP_MD* sha3_512() {
  static EVP_MD* const digest = fetched(EVP_MD_fetch(nullptr, "SHA3-512", nullptr));
  return digest;
}
EVP_MAC* hmac() {
  static EVP_MAC* const mac = fetched(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  return mac;
}
EVP_KDF* hkdf() {
  static EVP_KDF* const kdf = fetched(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  return kdf;
}
EVP_KDF* pbkdf2() {
  static EVP_KDF* const kdf = fetched(EVP_KDF_fetch(nullptr, "PBKDF2", nullptr));
  return kdf;
}

}  // namespace strongroom::crypto::openssl

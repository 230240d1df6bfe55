#include "crypto/kdf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>

#include "base/try.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

// OSSL_PARAM has no const: the library promises not to write what it only reads.
OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<unsigned char*>(openssl::data(bytes)),
                                           bytes.size());
}

OSSL_PARAM sha256_digest() {
  static constinit std::array<char, 9> name = {'S', 'H', 'A', '2', '-', '2', '5', '6', '\0'};
  return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name.data(), 0);
}

Result<SecretBytes> derive(EVP_KDF* algorithm, const OSSL_PARAM* parameters, std::size_t size) {
  SR_TRY(SecretBytes out, SecretBytes::allocate(size));
  const openssl::KdfContextPtr context(EVP_KDF_CTX_new(algorithm));
  SR_CHECK(context != nullptr);
  if (EVP_KDF_derive(context.get(), openssl::out(out.reveal()), size, parameters) != 1) {
    return openssl::fail_clean({ErrorCode::invalid_argument, "key derivation refused its input"});
  }
  return out;
}

}  // namespace

Result<SecretBytes> hkdf_sha256(std::span<const std::byte> key, std::span<const std::byte> salt,
                                std::span<const std::byte> info, std::size_t size) {
  if (size == 0 || size > kHkdfSizeMax) {
    return fail({ErrorCode::invalid_argument, "HKDF gives 1 to 8160 bytes"});
  }
  const std::array parameters = {sha256_digest(), octets(OSSL_KDF_PARAM_KEY, key),
                                 octets(OSSL_KDF_PARAM_SALT, salt),
                                 octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  return derive(openssl::hkdf(), parameters.data(), size);
}

Result<SecretBytes> pbkdf2_sha256(std::span<const std::byte> password,
                                  std::span<const std::byte> salt, std::uint32_t iterations,
                                  std::size_t size) {
  if (iterations < kPbkdf2IterationsFloor) {
    return fail({ErrorCode::invalid_argument, "too few PBKDF2 iterations"});
  }
  if (size == 0) return fail({ErrorCode::invalid_argument, "PBKDF2 gives at least one byte"});
  const std::array parameters = {
      sha256_digest(), octets(OSSL_KDF_PARAM_PASSWORD, password), octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &iterations), OSSL_PARAM_construct_end()};
  return derive(openssl::pbkdf2(), parameters.data(), size);
}

}  // namespace strongroom::crypto

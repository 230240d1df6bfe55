#include "crypto/warm_up.h"

#include <array>

#include "base/try.h"
#include "crypto/openssl.h"
#include "crypto/random.h"

namespace strongroom::crypto {

void warm_up() {
  SR_CHECK(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                               nullptr) == 1);
  (void)openssl::aes_256_gcm();
  (void)openssl::sha_256();
  (void)openssl::sha3_512();
  (void)openssl::hmac();
  (void)openssl::hkdf();
  (void)openssl::pbkdf2();
  std::array<std::byte, 1> byte;
  SystemRandom().fill(byte);
}

}  // namespace strongroom::crypto

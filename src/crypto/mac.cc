#include "crypto/mac.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/try.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

openssl::MacContextPtr new_context() {
  openssl::MacContextPtr context(EVP_MAC_CTX_new(openssl::hmac()));
  SR_CHECK(context != nullptr);
  char digest[] = "SHA2-256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  SR_CHECK(EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
  return context;
}

void set_key(EVP_MAC_CTX* context, std::span<const std::byte> key) {
  SR_CHECK(EVP_MAC_init(context, openssl::data(key), key.size(), nullptr) == 1);
}

}  // namespace

HmacTag hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data) {
  static constexpr std::array<std::byte, 32> kZeros{};
  thread_local const openssl::MacContextPtr context = new_context();
  HmacTag tag;
  std::size_t size = 0;
  set_key(context.get(), key);
  SR_CHECK(EVP_MAC_update(context.get(), openssl::data(data), data.size()) == 1);
  SR_CHECK(EVP_MAC_final(context.get(), openssl::out(tag), &size, tag.size()) == 1);
  SR_CHECK(size == tag.size());
  set_key(context.get(), kZeros);  // the context outlives the call; the key must not
  return tag;
}

}  // namespace strongroom::crypto

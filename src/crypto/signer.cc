#include "crypto/signer.h"

#include "base/try.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

openssl::DigestContextPtr new_context() {
  openssl::DigestContextPtr context(EVP_MD_CTX_new());
  SR_CHECK(context != nullptr);
  return context;
}

}  // namespace

void EvpKeyFree::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }

Ed25519Signer::Ed25519Signer(evp_pkey_st* key) : key_(key) {
  std::size_t size = public_key_.size();
  SR_CHECK(EVP_PKEY_get_raw_public_key(key, openssl::out(public_key_), &size) == 1);
  SR_CHECK(size == public_key_.size());
}

Result<Ed25519Signer> Ed25519Signer::from_seed(const SecretBytes& seed) {
  if (seed.size() != kSeedSize) {
    return fail({ErrorCode::invalid_argument, "an Ed25519 seed has 32 bytes"});
  }
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr,
                                                  openssl::data(seed.reveal()), seed.size());
  SR_CHECK(key != nullptr);  // every seed of the right size is a key
  return Ed25519Signer(key);
}

Result<Ed25519Signer> Ed25519Signer::generate(Random& random) {
  SR_TRY(const SecretBytes seed, random_secret(random, kSeedSize));
  return from_seed(seed);
}

Ed25519Signature Ed25519Signer::sign(std::span<const std::byte> message) const {
  const openssl::DigestContextPtr context = new_context();
  SR_CHECK(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                                 nullptr) == 1);
  Ed25519Signature signature;
  std::size_t size = signature.size();
  SR_CHECK(EVP_DigestSign(context.get(), openssl::out(signature), &size, openssl::data(message),
                          message.size()) == 1);
  SR_CHECK(size == signature.size());
  return signature;
}

Result<Ed25519Verifier> Ed25519Verifier::create(std::span<const std::byte> public_key) {
  if (public_key.size() != Ed25519PublicKey{}.size()) {
    return fail({ErrorCode::invalid_argument, "an Ed25519 public key has 32 bytes"});
  }
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr,
                                                 openssl::data(public_key), public_key.size());
  SR_CHECK(key != nullptr);  // the point is decoded when a signature is verified
  return Ed25519Verifier(key);
}

bool Ed25519Verifier::verify(std::span<const std::byte> message,
                             std::span<const std::byte> signature) const {
  if (signature.size() != Ed25519Signature{}.size()) return false;
  const openssl::DigestContextPtr context = new_context();
  SR_CHECK(EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                                   nullptr) == 1);
  const bool verified = EVP_DigestVerify(context.get(), openssl::data(signature), signature.size(),
                                         openssl::data(message), message.size()) == 1;
  if (!verified) ERR_clear_error();
  return verified;
}

bool ed25519_verify(std::span<const std::byte> public_key, std::span<const std::byte> message,
                    std::span<const std::byte> signature) {
  const Result<Ed25519Verifier> verifier = Ed25519Verifier::create(public_key);
  return verifier && verifier->verify(message, signature);
}

}  // namespace strongroom::crypto

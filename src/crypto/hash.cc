#include "crypto/hash.h"

#include "base/try.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

void start(EVP_MD_CTX* context, const EVP_MD* algorithm) {
  SR_CHECK(EVP_DigestInit_ex2(context, algorithm, nullptr) == 1);
}

void update(EVP_MD_CTX* context, std::span<const std::byte> bytes) {
  SR_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
}

// Leaves the context started anew. This also wipes it: the final state of Keccak is a permutation
// of the last block and would give a short input back.
template <std::size_t Size>
std::array<std::byte, Size> finish(EVP_MD_CTX* context, const EVP_MD* algorithm) {
  std::array<std::byte, Size> digest;
  SR_CHECK(EVP_DigestFinal_ex(context, openssl::out(digest), nullptr) == 1);
  start(context, algorithm);
  return digest;
}

openssl::DigestContextPtr new_context(const EVP_MD* algorithm) {
  openssl::DigestContextPtr context(EVP_MD_CTX_new());
  SR_CHECK(context != nullptr);
  start(context.get(), algorithm);
  return context;
}

}  // namespace

Sha256Digest sha256(std::span<const std::byte> bytes) {
  thread_local const openssl::DigestContextPtr context = new_context(openssl::sha_256());
  update(context.get(), bytes);
  return crypto::finish<32>(context.get(), openssl::sha_256());
}

Sha3Digest512 sha3_512(std::span<const std::byte> bytes) {
  thread_local const openssl::DigestContextPtr context = new_context(openssl::sha3_512());
  update(context.get(), bytes);
  return crypto::finish<64>(context.get(), openssl::sha3_512());
}

Sha256::Sha256() : context_(new_context(openssl::sha_256()).release()) {}

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  crypto::update(context_.get(), bytes);
  return *this;
}

Sha256Digest Sha256::finish() { return crypto::finish<32>(context_.get(), openssl::sha_256()); }

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

}  // namespace strongroom::crypto

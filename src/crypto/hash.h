// Hashes: SHA-256 (FIPS 180-4) for trees, fingerprints of public things and API keys; SHA3-512
// (FIPS 202) for `token_hash`. Neither is keyed: never hash a card number, whose few digits can be
// tried out.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace strongroom::crypto {

using Sha256Digest = std::array<std::byte, 32>;
using Sha3Digest512 = std::array<std::byte, 64>;

// Thread-safe, without allocation after a thread's first call.
[[nodiscard]] Sha256Digest sha256(std::span<const std::byte> bytes);
[[nodiscard]] Sha3Digest512 sha3_512(std::span<const std::byte> bytes);

// SHA-256 of bytes that come in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept = default;
  Sha256& operator=(Sha256&&) noexcept = default;
  ~Sha256() = default;

  // REQUIRES of both: not moved from.
  Sha256& update(std::span<const std::byte> bytes);
  // The digest of everything since the start; the object then starts anew.
  [[nodiscard]] Sha256Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace strongroom::crypto

// One cipher context per thread and direction, keyed for each message and re-keyed with zeros after
// it: making a context per message costs twice the message, and a context that keeps its key is a
// key in ordinary memory.
#include "crypto/aead_primitive.h"

#include <array>

#include "base/secret.h"
#include "base/try.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

enum class Direction : int { open = 0, seal = 1 };

class Cipher {
 public:
  explicit Cipher(Direction direction)
      : context_(EVP_CIPHER_CTX_new()), direction_(static_cast<int>(direction)) {
    SR_CHECK(context_ != nullptr);
    SR_CHECK(EVP_CipherInit_ex2(context_.get(), openssl::aes_256_gcm(), nullptr, nullptr,
                                direction_, nullptr) == 1);
  }

  void start(const GcmInput& input) {
    SR_CHECK(EVP_CipherInit_ex2(context_.get(), nullptr, openssl::data(input.key),
                                openssl::data(input.nonce), direction_, nullptr) == 1);
    if (!input.associated_data.empty()) update(input.associated_data, nullptr);
  }

  void update(std::span<const std::byte> in, unsigned char* out) {
    int written = 0;  // GCM is a stream: as much as went in
    SR_CHECK(EVP_CipherUpdate(context_.get(), out, &written, openssl::data(in),
                              static_cast<int>(in.size())) == 1);
  }

  // True when the message is complete and, opening, its tag verifies.
  bool finish() {
    unsigned char nothing = 0;
    int written = 0;
    return EVP_CipherFinal_ex(context_.get(), &nothing, &written) == 1;
  }

  void get_tag(std::span<std::byte> tag) {
    SR_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG,
                                 static_cast<int>(tag.size()), openssl::out(tag)) == 1);
  }

  void expect_tag(std::span<const std::byte> tag) {
    SR_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG,
                                 static_cast<int>(tag.size()),
                                 const_cast<unsigned char*>(openssl::data(tag))) == 1);
  }

  // Overwrites key schedule, hash key and key stream.
  void forget_key() {
    static constexpr std::array<unsigned char, kGcmKeySize> kZeros{};
    SR_CHECK(EVP_CipherInit_ex2(context_.get(), nullptr, kZeros.data(), nullptr, direction_,
                                nullptr) == 1);
  }

 private:
  openssl::CipherContextPtr context_;
  int direction_;
};

Result<void> check_sizes(const GcmInput& input, std::size_t in, std::size_t out, std::size_t tag) {
  if (input.key.size() != kGcmKeySize) {
    return fail({ErrorCode::invalid_argument, "AES-256-GCM takes a 256-bit key"});
  }
  if (input.nonce.size() != kGcmNonceSize) {
    return fail({ErrorCode::invalid_argument, "AES-256-GCM takes a 96-bit nonce"});
  }
  if (tag != kGcmTagSize) {
    return fail({ErrorCode::invalid_argument, "AES-256-GCM takes a 128-bit tag"});
  }
  if (in != out) return fail({ErrorCode::invalid_argument, "output and input differ in size"});
  if (in > kGcmSizeMax || input.associated_data.size() > kGcmSizeMax) {
    return fail({ErrorCode::too_large, "message or associated data is larger than 1 MiB"});
  }
  return {};
}

}  // namespace

Result<void> aes256_gcm_seal(const GcmInput& input, std::span<const std::byte> plaintext,
                             std::span<std::byte> ciphertext, std::span<std::byte> tag) {
  SR_CHECK_OK(check_sizes(input, plaintext.size(), ciphertext.size(), tag.size()));
  thread_local Cipher cipher(Direction::seal);
  cipher.start(input);
  if (!plaintext.empty()) cipher.update(plaintext, openssl::out(ciphertext));
  SR_CHECK(cipher.finish());
  cipher.get_tag(tag);
  cipher.forget_key();
  return {};
}

Result<void> aes256_gcm_open(const GcmInput& input, std::span<const std::byte> ciphertext,
                             std::span<const std::byte> tag, std::span<std::byte> plaintext) {
  SR_CHECK_OK(check_sizes(input, ciphertext.size(), plaintext.size(), tag.size()));
  thread_local Cipher cipher(Direction::open);
  cipher.start(input);
  if (!ciphertext.empty()) cipher.update(ciphertext, openssl::out(plaintext));
  cipher.expect_tag(tag);
  const bool verified = cipher.finish();
  cipher.forget_key();
  if (verified) return {};
  wipe(plaintext);  // what was decrypted before the tag was known must not be used
  return openssl::fail_clean({ErrorCode::permission_denied, "authentication tag does not verify"});
}

}  // namespace strongroom::crypto

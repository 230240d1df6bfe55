#include "crypto/sealed_file.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/aead_primitive.h"
#include "crypto/context.h"
#include "crypto/kdf.h"
#include "crypto/random.h"

namespace strongroom::crypto {
namespace {

// `magic 8 | version 1 | iterations u32be | salt 16 | nonce 12 | ciphertext | tag 16`; the first
// four are the header, which is associated data.
constexpr std::string_view kMagic = "SRSEALED";
constexpr std::byte kVersion{1};
constexpr std::size_t kIterationsOffset = kMagic.size() + 1;
constexpr std::size_t kSaltOffset = kIterationsOffset + 4;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHeaderSize = kSaltOffset + kSaltSize;
constexpr std::size_t kNonceOffset = kHeaderSize;
constexpr std::size_t kCiphertextOffset = kNonceOffset + kGcmNonceSize;
constexpr std::size_t kOverhead = kCiphertextOffset + kGcmTagSize;

// Bounds what a forged file can make a reader compute.
constexpr std::uint32_t kIterationsMax = 16 * kPbkdf2IterationsMin;
constexpr mode_t kOwnerOnly = 0600;

std::vector<std::byte> new_header(std::span<const std::byte> salt) {
  std::vector<std::byte> header;
  append_bytes(header, as_bytes(kMagic));
  header.push_back(kVersion);
  append_u32be(header, kPbkdf2IterationsMin);
  append_bytes(header, salt);
  return header;
}

Result<SecretBytes> key_of(std::span<const std::byte> header, const SecretBytes& passphrase) {
  return pbkdf2_sha256(passphrase.reveal(), header.subspan(kSaltOffset, kSaltSize),
                       read_u32be(header.subspan(kIterationsOffset)), kGcmKeySize);
}

Context context_of(std::string_view purpose, std::span<const std::byte> header) {
  Context context("strongroom/sealed-file/1");
  context.add(purpose).add(header);
  return context;
}

Result<void> check_form(std::span<const std::byte> file) {
  const bool known = file.size() >= kOverhead && as_text(file.first(kMagic.size())) == kMagic &&
                     file[kMagic.size()] == kVersion;
  if (!known) return fail({ErrorCode::corrupt, "not a sealed file of version 1"});
  const std::uint32_t iterations = read_u32be(file.subspan(kIterationsOffset));
  if (iterations < kPbkdf2IterationsMin || iterations > kIterationsMax) {
    return fail({ErrorCode::corrupt, "sealed file asks for too few or too many iterations"});
  }
  return {};
}

}  // namespace

Result<void> write_sealed_file(const std::string& path, const SecretBytes& secret,
                               const SecretBytes& passphrase, std::string_view purpose) {
  if (passphrase.size() < kPassphraseSizeMin) {
    return fail({ErrorCode::invalid_argument, "passphrase is too short"});
  }
  if (secret.size() > kSealedFileSecretMax) {
    return fail({ErrorCode::too_large, "secret is larger than 64 KiB"});
  }
  std::array<std::byte, kSaltSize> salt;
  std::array<std::byte, kGcmNonceSize> nonce;
  SystemRandom().fill(salt);
  SystemRandom().fill(nonce);
  std::vector<std::byte> file = new_header(salt);
  SR_TRY(const SecretBytes key, key_of(file, passphrase));
  const Context context = context_of(purpose, file);
  append_bytes(file, nonce);
  file.resize(kOverhead + secret.size());
  const std::span<std::byte> out(file);
  SR_CHECK_OK(aes256_gcm_seal({key.reveal(), nonce, context.bytes()}, secret.reveal(),
                              out.subspan(kCiphertextOffset, secret.size()),
                              out.last(kGcmTagSize)));
  return write_file_durable(path, file, kOwnerOnly);
}

Result<SecretBytes> read_sealed_file(const std::string& path, const SecretBytes& passphrase,
                                     std::string_view purpose) {
  SR_TRY(const std::string text, read_file(path, kOverhead + kSealedFileSecretMax));
  const std::span<const std::byte> file = as_bytes(text);
  SR_CHECK_OK(check_form(file));
  const std::span<const std::byte> header = file.first(kHeaderSize);
  SR_TRY(const SecretBytes key, key_of(header, passphrase));
  SR_TRY(SecretBytes secret, SecretBytes::allocate(file.size() - kOverhead));
  const Context context = context_of(purpose, header);
  const GcmInput input{key.reveal(), file.subspan(kNonceOffset, kGcmNonceSize), context.bytes()};
  SR_CHECK_OK(aes256_gcm_open(input, file.subspan(kCiphertextOffset, secret.size()),
                              file.last(kGcmTagSize), secret.reveal()));
  return secret;
}

}  // namespace strongroom::crypto

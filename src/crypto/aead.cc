#include "crypto/aead.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/aead_primitive.h"

namespace strongroom::crypto {
namespace {

constexpr std::byte kVersion{1};
constexpr std::size_t kKeyVersionOffset = 1;
constexpr std::size_t kNonceOffset = 5;

static_assert(Sealed::kHeaderSize == kNonceOffset + kGcmNonceSize);
static_assert(Sealed::kOverhead == Sealed::kHeaderSize + kGcmTagSize);
static_assert(Aead::kKeySize == kGcmKeySize && Aead::kPlaintextSizeMax == kGcmSizeMax);

// A blob of its final size with its first five bytes written.
std::vector<std::byte> new_blob(std::uint32_t key_version, std::size_t ciphertext_and_tag_size) {
  std::vector<std::byte> blob;
  blob.reserve(Sealed::kHeaderSize + ciphertext_and_tag_size);
  blob.push_back(kVersion);
  append_u32be(blob, key_version);
  blob.resize(Sealed::kHeaderSize + ciphertext_and_tag_size);
  return blob;
}

}  // namespace

Result<Sealed> Sealed::from_stored(std::span<const std::byte> bytes) {
  if (bytes.size() < kOverhead) return fail({ErrorCode::corrupt, "sealed blob is too short"});
  if (bytes.size() > kSizeMax) return fail({ErrorCode::corrupt, "sealed blob is too long"});
  if (bytes[0] != kVersion) return fail({ErrorCode::corrupt, "sealed blob is not version 1"});
  return Sealed(std::vector(bytes.begin(), bytes.end()));
}

Result<Sealed> Sealed::from_parts(std::uint32_t key_version, std::span<const std::byte, 12> nonce,
                                  std::span<const std::byte> ciphertext_and_tag) {
  if (ciphertext_and_tag.size() < kGcmTagSize ||
      ciphertext_and_tag.size() > kSizeMax - kHeaderSize) {
    return fail({ErrorCode::invalid_argument, "ciphertext and tag are too short or too long"});
  }
  std::vector<std::byte> blob = new_blob(key_version, ciphertext_and_tag.size());
  std::ranges::copy(nonce, blob.begin() + kNonceOffset);
  std::ranges::copy(ciphertext_and_tag, blob.begin() + kHeaderSize);
  return Sealed(std::move(blob));
}

std::uint32_t Sealed::key_version() const noexcept {
  return read_u32be(bytes().subspan(kKeyVersionOffset));
}
std::span<const std::byte, 12> Sealed::nonce() const noexcept {
  return bytes().subspan<kNonceOffset, kGcmNonceSize>();
}
std::span<const std::byte> Sealed::ciphertext_and_tag() const noexcept {
  return bytes().subspan(kHeaderSize);
}

Result<Aead> Aead::create(SecretBytes key, std::uint32_t key_version) {
  if (key.size() != kKeySize) return fail({ErrorCode::invalid_argument, "key is not 256 bits"});
  return Aead(std::move(key), key_version);
}

Result<Sealed> Aead::seal(Random& random, std::span<const std::byte> plaintext,
                          std::span<const std::byte> associated_data) const {
  if (plaintext.size() > kPlaintextSizeMax) {
    return fail({ErrorCode::too_large, "plaintext is larger than 1 MiB"});
  }
  std::vector<std::byte> blob = new_blob(key_version_, plaintext.size() + kGcmTagSize);
  const std::span<std::byte> out(blob);
  const std::span<std::byte> nonce = out.subspan<kNonceOffset, kGcmNonceSize>();
  random.fill(nonce);
  SR_CHECK_OK(aes256_gcm_seal({key_.reveal(), nonce, associated_data}, plaintext,
                              out.subspan(Sealed::kHeaderSize, plaintext.size()),
                              out.last<kGcmTagSize>()));
  return Sealed(std::move(blob));
}

Result<SecretBytes> Aead::open(const Sealed& sealed,
                               std::span<const std::byte> associated_data) const {
  if (sealed.key_version() != key_version_) {
    return fail({ErrorCode::not_found, "sealed under another key version"});
  }
  const std::span<const std::byte> body = sealed.ciphertext_and_tag();
  SR_TRY(SecretBytes plaintext, SecretBytes::allocate(body.size() - kGcmTagSize));
  SR_CHECK_OK(aes256_gcm_open({key_.reveal(), sealed.nonce(), associated_data},
                              body.first(plaintext.size()), body.last<kGcmTagSize>(),
                              plaintext.reveal()));
  return plaintext;
}

}  // namespace strongroom::crypto

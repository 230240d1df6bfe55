// Session: exclusive use of one PKCS#11 session, the only way to use a key. Two threads inside one
// session crash modules, so a Session cannot be copied or shared: own one per worker thread, or
// lease one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"
#include "pkcs11/key_handle.h"
#include "pkcs11/token.h"

namespace strongroom::pkcs11 {

inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;
inline constexpr std::size_t kDataBytesMax =
    16384;  // of one call; modules have limits near this one
using CheckValue = std::array<std::byte, 3>;

// Session outlives no Token. One thread at a time; it may move to another thread between calls.
// After an error that says the session, the login or a handle is lost, the next call opens a new
// session (and logs the Token in again when needed); no call is repeated by itself. Every call can
// answer: unavailable (the HSM does not answer, the session or login was lost), gone (the key was
// destroyed), invalid_argument (another Token's key, no such mechanism, or a key of another
// purpose), permission_denied (the key forbids it), too_large (over kDataBytesMax).
class Session {
 public:
  [[nodiscard]] static Result<Session> open(Token& token);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Session(Session&& other) noexcept
      : token_(std::exchange(other.token_, nullptr)), handle_(std::exchange(other.handle_, 0)) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(token_, other.token_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Session();

  // Seals `plaintext` (1 byte or more) with AES-256-GCM into `out` as ciphertext | 16-byte tag
  // (NIST SP 800-38D). `nonce` holds 96 random bits; on return it is the nonce that was used, as a
  // module in FIPS mode may choose its own. At most 2^32 calls per key (section 8.3): nobody
  // counts them. invalid_argument unless out.size() is plaintext.size() + 16. The spans must not
  // overlap.
  [[nodiscard]] Result<void> encrypt_gcm(KeyHandle key, std::span<std::byte, kGcmNonceBytes> nonce,
                                         std::span<const std::byte> aad,
                                         std::span<const std::byte> plaintext,
                                         std::span<std::byte> out);

  // Opens `sealed` (ciphertext | tag) into `out` and gives the plaintext's size. `out` needs room
  // for sealed.size() bytes, as some modules ask for it; what follows the plaintext is wiped,
  // everything on failure. permission_denied: nonce, AAD, ciphertext or tag is not what was sealed,
  // and nothing else. Modules tell this apart from other faults badly (SoftHSM says
  // CKR_GENERAL_ERROR of both), so a ciphertext is blamed only where the HSM opens what it has
  // sealed under the same key itself, and then refuses the ciphertext again; else unavailable.
  [[nodiscard]] Result<std::size_t> decrypt_gcm(KeyHandle key,
                                                std::span<const std::byte, kGcmNonceBytes> nonce,
                                                std::span<const std::byte> aad,
                                                std::span<const std::byte> sealed,
                                                std::span<std::byte> out);

  // Whether the HSM opens what it has sealed under `key` (aes256_wrap) itself. Costs one use of the
  // key, and no other while the Token lives. unavailable: it does not.
  [[nodiscard]] Result<void> opens_its_own(KeyHandle key);

  // HMAC-SHA256 (RFC 2104, FIPS 198-1) of `data`, which may be empty where the module allows it.
  [[nodiscard]] Result<std::array<std::byte, 32>> hmac_sha256(KeyHandle key,
                                                              std::span<const std::byte> data);

  // Fills `out` from the token's random generator.
  [[nodiscard]] Result<void> random(std::span<std::byte> out);

  // The first three bytes of a keyed function of the 16 bytes "strongroom/kcv/1": AES-ECB for
  // aes256_wrap, HMAC-SHA256 for hmac_sha256. Two keys with equal values are the same key but for
  // one chance in 2^24. Not of a zero block, as older practice has it: for a GCM key that would
  // publish bits of its hash key H.
  [[nodiscard]] Result<CheckValue> check_value(KeyHandle key);

 private:
  Session(Token& token, unsigned long handle) noexcept;
  // The object of `key`, with a session to use it in; opens one when the last was lost.
  [[nodiscard]] Result<unsigned long> prepare(KeyHandle key);
  [[nodiscard]] Result<void> ensure_open();
  // C_DecryptInit and C_Decrypt, once. permission_denied: not opened, for whatever reason but a
  // lost session.
  [[nodiscard]] Result<std::size_t> decrypt_once(KeyHandle key,
                                                 std::span<const std::byte, kGcmNonceBytes> nonce,
                                                 std::span<const std::byte> aad,
                                                 std::span<const std::byte> sealed,
                                                 std::span<std::byte> out);
  // What `rv` means; closes the session when it is lost, forgets `object` when it is stale.
  [[nodiscard]] Error failed(unsigned long rv, KeyHandle key, unsigned long object);
  [[nodiscard]] Result<std::array<std::byte, 16>> encrypt_label_block(KeyHandle key);
  void close() noexcept;

  Token* token_;
  unsigned long handle_;  // a CK_SESSION_HANDLE; 0 when it was lost
};

}  // namespace strongroom::pkcs11

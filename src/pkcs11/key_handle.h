// KeyHandle: names one key inside a Token. It holds no key material and no PKCS#11 handle: those
// die with sessions, so the Token looks the key up again by itself after it had to log in anew.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace strongroom::pkcs11 {

struct KeyRecord;

// What a key may do; nothing else is permitted to it.
enum class KeyPurpose : std::uint8_t {
  aes256_wrap,  // AES-256: encrypt and decrypt (GCM)
  hmac_sha256,  // 32-byte generic secret: sign and verify (HMAC-SHA256)
};

struct KeySpec {
  std::string label;  // CKA_LABEL, 1..kKeyLabelMax bytes; unique in the token
  // CKA_ID, 1..kKeyIdMax bytes; unique, too: NSS softokn overwrites the key that has it.
  std::vector<std::byte> id;
  KeyPurpose purpose = KeyPurpose::aes256_wrap;
};
inline constexpr std::size_t kKeyLabelMax = 128;
inline constexpr std::size_t kKeyIdMax = 64;

// What the module says of a key; for evidence and the key inventory.
struct KeyAttributes {
  std::string label;
  std::vector<std::byte> id;
  KeyPurpose purpose = KeyPurpose::aes256_wrap;
  bool on_token = false;    // false: a session object, gone with its session
  bool sensitive = false;   // its value cannot be read in clear
  bool extractable = true;  // its value can leave under another key
  // CKA_LOCAL: generated inside, never seen outside. softokn does not remember it of token keys.
  bool made_on_token = false;
  // CKA_CHECK_VALUE as the vendor's own tools show it; absent where the module keeps none.
  std::optional<std::array<std::byte, 3>> vendor_check_value;
};

// KeyHandle is a value, valid while its Token lives. Using one at another Token is
// invalid_argument.
class KeyHandle {
 public:
  friend bool operator==(KeyHandle, KeyHandle) = default;

 private:
  friend class Token;
  friend class Session;
  explicit KeyHandle(KeyRecord& record) noexcept : record_(&record) {}
  KeyRecord* record_;
};

}  // namespace strongroom::pkcs11

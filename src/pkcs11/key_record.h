// Private to src/pkcs11: what a Token remembers of a key, so that it can find it again after a new
// login.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "pkcs11/cryptoki.h"

namespace strongroom::pkcs11 {

class Token;

// All but `object` and `own_seal` is written under the Token's mutex only.
struct KeyRecord {
  enum class Origin : std::uint8_t { token_object, session_copy, imported };
  // A text of 16 bytes that the key has sealed, to see whether the HSM opens it.
  struct OwnSeal {
    static constexpr std::size_t kBytes = 16 + 16;
    std::array<std::byte, 12> nonce{};
    std::array<std::byte, kBytes> sealed{};
  };

  KeyRecord(const Token& owner, Origin how, std::string name, CK_OBJECT_HANDLE handle)
      : token(&owner), origin(how), label(std::move(name)), object(handle) {}

  const Token* token;
  Origin origin;
  std::string label;            // of the token object
  KeyRecord* source = nullptr;  // of a session copy
  bool destroyed = false;
  // The object now; CK_INVALID_HANDLE when it is to be looked up first. Read by every Session.
  std::atomic<CK_OBJECT_HANDLE> object;
  std::atomic<std::shared_ptr<const OwnSeal>> own_seal{};  // null: none yet. Read by every Session
};

}  // namespace strongroom::pkcs11

// Private to src/pkcs11: what a Token remembers of a key, so that it can find it again after a new
// login.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "pkcs11/cryptoki.h"

namespace strongroom::pkcs11 {

class Token;

// All but `object` is written under the Token's mutex only.
struct KeyRecord {
  enum class Origin : std::uint8_t { token_object, session_copy, imported };

  KeyRecord(const Token& owner, Origin how, std::string name, CK_OBJECT_HANDLE handle)
      : token(&owner), origin(how), label(std::move(name)), object(handle) {}

  const Token* token;
  Origin origin;
  std::string label;            // of the token object
  KeyRecord* source = nullptr;  // of a session copy
  bool destroyed = false;
  // The object now; CK_INVALID_HANDLE when it is to be looked up first. Read by every Session.
  std::atomic<CK_OBJECT_HANDLE> object;
};

}  // namespace strongroom::pkcs11

// Private to src/pkcs11: reads the attributes of one object, one by one: modules lack some, and
// that must not spoil the others.
#pragma once

#include <span>
#include <vector>

#include "pkcs11/cryptoki.h"
#include "pkcs11/key_handle.h"

namespace strongroom::pkcs11 {

class ObjectReader {
 public:
  static constexpr std::size_t kValueBytesMax = 256;

  ObjectReader(const CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session,
               CK_OBJECT_HANDLE object)
      : functions_(functions), session_(session), object_(object) {}

  // What the module says of a secret key; look at error() afterwards.
  [[nodiscard]] KeyAttributes key_attributes();
  // Of the last read that failed, else CKR_OK. An attribute that the module does not keep is no
  // error.
  [[nodiscard]] CK_RV error() const noexcept { return error_; }

 private:
  std::vector<std::byte> bytes(CK_ATTRIBUTE_TYPE type);
  bool flag(CK_ATTRIBUTE_TYPE type, bool if_absent);
  CK_ULONG number(CK_ATTRIBUTE_TYPE type);
  std::size_t read(CK_ATTRIBUTE_TYPE type, std::span<std::byte> out);

  const CK_FUNCTION_LIST& functions_;
  CK_SESSION_HANDLE session_;
  CK_OBJECT_HANDLE object_;
  CK_RV error_ = CKR_OK;
};

}  // namespace strongroom::pkcs11

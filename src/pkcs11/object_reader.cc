#include "pkcs11/object_reader.h"

#include "base/encoding.h"

namespace strongroom::pkcs11 {

KeyAttributes ObjectReader::key_attributes() {
  KeyAttributes attributes;
  attributes.label = as_text(bytes(CKA_LABEL));
  attributes.id = bytes(CKA_ID);
  attributes.purpose =
      number(CKA_KEY_TYPE) == CKK_AES ? KeyPurpose::aes256_wrap : KeyPurpose::hmac_sha256;
  attributes.on_token = flag(CKA_TOKEN, false);
  attributes.sensitive = flag(CKA_SENSITIVE, false);
  attributes.extractable = flag(CKA_EXTRACTABLE, true);  // what is not promised is not so
  attributes.made_on_token = flag(CKA_LOCAL, false);
  const auto check = bytes(CKA_CHECK_VALUE);
  if (check.size() == 3) attributes.vendor_check_value = {check[0], check[1], check[2]};
  return attributes;
}

std::vector<std::byte> ObjectReader::bytes(CK_ATTRIBUTE_TYPE type) {
  std::vector<std::byte> value(kValueBytesMax);
  value.resize(read(type, value));
  return value;
}

bool ObjectReader::flag(CK_ATTRIBUTE_TYPE type, bool if_absent) {
  CK_BBOOL value = CK_FALSE;
  const bool present = read(type, std::as_writable_bytes(std::span(&value, 1))) != 0;
  return present ? value != CK_FALSE : if_absent;
}

CK_ULONG ObjectReader::number(CK_ATTRIBUTE_TYPE type) {
  CK_ULONG value = CK_UNAVAILABLE_INFORMATION;
  // softokn refuses a buffer that is larger than the number.
  read(type, std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::size_t ObjectReader::read(CK_ATTRIBUTE_TYPE type, std::span<std::byte> out) {
  CK_ATTRIBUTE attribute{type, out.data(), out.size()};
  const CK_RV rv = functions_.C_GetAttributeValue(session_, object_, &attribute, 1);
  if (rv == CKR_OK && attribute.ulValueLen <= out.size()) return attribute.ulValueLen;
  if (rv != CKR_ATTRIBUTE_TYPE_INVALID) error_ = rv == CKR_OK ? CKR_GENERAL_ERROR : rv;
  return 0;
}

}  // namespace strongroom::pkcs11

// The keys of a token: making, finding, copying, describing and destroying them, all on the one
// logged-in session under the Token's mutex.
#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/errors.h"
#include "pkcs11/key_record.h"
#include "pkcs11/object_reader.h"
#include "pkcs11/template.h"
#include "pkcs11/token.h"

namespace strongroom::pkcs11 {
namespace {

using Origin = KeyRecord::Origin;

constexpr CK_ULONG kKeyBytes = 32;

// What a key of this purpose may do. Every usage is stated: defaults differ between modules.
void add_usage(Template& attributes, KeyPurpose purpose) {
  const bool encrypts = purpose == KeyPurpose::aes256_wrap;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, encrypts ? CKK_AES : CKK_GENERIC_SECRET)
      .flag(CKA_ENCRYPT, encrypts)
      .flag(CKA_DECRYPT, encrypts)
      .flag(CKA_SIGN, !encrypts)
      .flag(CKA_VERIFY, !encrypts)
      .flag(CKA_WRAP, false)
      .flag(CKA_UNWRAP, false)
      .flag(CKA_DERIVE, false)
      .flag(CKA_PRIVATE, true)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, false);
}

Result<void> check_spec(const KeySpec& spec) {
  if (spec.label.empty() || spec.label.size() > kKeyLabelMax || spec.id.empty() ||
      spec.id.size() > kKeyIdMax) {
    return fail({ErrorCode::invalid_argument, "HSM: a key's label or id has a wrong length"});
  }
  return {};
}

}  // namespace

KeyRecord& Token::remember(std::unique_ptr<KeyRecord> record) {
  return *records_.emplace_back(std::move(record));
}

Result<KeyHandle> Token::generate_secret_key(const KeySpec& spec) {
  SR_CHECK_OK(check_spec(spec));
  const std::scoped_lock lock(mutex_);
  SR_CHECK_OK(ensure_login());
  SR_CHECK_OK(check_free(CKA_LABEL, as_bytes(spec.label)));
  SR_CHECK_OK(check_free(CKA_ID, spec.id));
  Template attributes;
  add_usage(attributes, spec.purpose);
  attributes.flag(CKA_TOKEN, true).number(CKA_VALUE_LEN, kKeyBytes);
  attributes.text(CKA_LABEL, spec.label).bytes(CKA_ID, spec.id);
  const Mechanisms& mechanisms = module_.mechanisms();
  CK_MECHANISM mechanism{spec.purpose == KeyPurpose::aes256_wrap
                             ? mechanisms.aes_key_gen
                             : mechanisms.generic_secret_key_gen,
                         nullptr, 0};
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  const CK_RV rv = module_.functions().C_GenerateKey(login_, &mechanism, attributes.data(),
                                                     attributes.size(), &object);
  if (rv != CKR_OK) return fail(failed(rv));
  return KeyHandle(
      remember(std::make_unique<KeyRecord>(*this, Origin::token_object, spec.label, object)));
}

Result<unsigned long> Token::find_object(unsigned long attribute,
                                         std::span<const std::byte> value) {
  const CK_FUNCTION_LIST& functions = module_.functions();
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).flag(CKA_TOKEN, true).bytes(attribute, value);
  CK_RV rv = functions.C_FindObjectsInit(login_, wanted.data(), wanted.size());
  if (rv != CKR_OK) return fail(failed(rv));
  std::array<CK_OBJECT_HANDLE, 2> found{};
  CK_ULONG count = 0;
  rv = functions.C_FindObjects(login_, found.data(), found.size(), &count);
  functions.C_FindObjectsFinal(login_);
  if (rv != CKR_OK) return fail(failed(rv));
  if (count == 0) return fail({ErrorCode::not_found, "HSM: no such key"});
  if (count > 1) return fail({ErrorCode::conflict, "HSM: several keys of this name"});
  return found[0];
}

Result<std::vector<std::string>> Token::key_labels() {
  const std::scoped_lock lock(mutex_);
  SR_CHECK_OK(ensure_login());
  const CK_FUNCTION_LIST& functions = module_.functions();
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).flag(CKA_TOKEN, true);
  CK_RV rv = functions.C_FindObjectsInit(login_, wanted.data(), wanted.size());
  if (rv != CKR_OK) return fail(failed(rv));
  std::vector<CK_OBJECT_HANDLE> found;
  std::array<CK_OBJECT_HANDLE, 64> some{};
  CK_ULONG count = 0;
  do {
    rv = functions.C_FindObjects(login_, some.data(), some.size(), &count);
    if (rv == CKR_OK) found.insert(found.end(), some.begin(), some.begin() + count);
  } while (rv == CKR_OK && count > 0);
  functions.C_FindObjectsFinal(login_);
  if (rv != CKR_OK) return fail(failed(rv));
  std::vector<std::string> labels;
  labels.reserve(found.size());
  for (const CK_OBJECT_HANDLE object : found) {
    ObjectReader reader(functions, login_, object);
    labels.push_back(reader.key_attributes().label);
    if (reader.error() != CKR_OK) return fail(failed(reader.error()));
  }
  return labels;
}

Result<void> Token::check_free(unsigned long attribute, std::span<const std::byte> value) {
  const auto taken = find_object(attribute, value);
  if (taken) return fail({ErrorCode::conflict, "HSM: a key of this label or id exists"});
  if (taken.error().code() != ErrorCode::not_found) return fail(taken.error());
  return {};
}

Result<KeyHandle> Token::find_key(std::string_view label) {
  const std::scoped_lock lock(mutex_);
  SR_CHECK_OK(ensure_login());
  SR_TRY(const CK_OBJECT_HANDLE object, find_object(CKA_LABEL, as_bytes(label)));
  const auto known = std::ranges::find_if(records_, [&](const auto& record) {
    return record->origin == Origin::token_object && !record->destroyed && record->label == label;
  });
  if (known == records_.end()) {
    return KeyHandle(remember(
        std::make_unique<KeyRecord>(*this, Origin::token_object, std::string(label), object)));
  }
  (*known)->object = object;
  return KeyHandle(**known);
}

Result<unsigned long> Token::copy_object(unsigned long source) {
  Template changes;
  changes.flag(CKA_TOKEN, false);
  CK_OBJECT_HANDLE copy = CK_INVALID_HANDLE;
  const CK_RV rv =
      module_.functions().C_CopyObject(login_, source, changes.data(), changes.size(), &copy);
  if (rv != CKR_OK) return fail(failed(rv));
  return copy;
}

Result<KeyHandle> Token::copy_to_session(KeyHandle key) {
  SR_CHECK_OK(check_owner(key));
  KeyRecord& source = *key.record_;
  if (source.origin != Origin::token_object) {
    return fail({ErrorCode::invalid_argument, "HSM: the key is a session object already"});
  }
  const std::scoped_lock lock(mutex_);
  SR_TRY(const CK_OBJECT_HANDLE object, resolve(source));
  for (const auto& record : records_) {
    if (record->source == &source && !record->destroyed) return KeyHandle(*record);
  }
  SR_TRY(const CK_OBJECT_HANDLE copy, copy_object(object));
  auto record = std::make_unique<KeyRecord>(*this, Origin::session_copy, source.label, copy);
  record->source = &source;
  return KeyHandle(remember(std::move(record)));
}

Result<KeyHandle> Token::import_session_key(KeyPurpose purpose,
                                            std::span<const std::byte, 32> value) {
  const std::scoped_lock lock(mutex_);
  SR_CHECK_OK(ensure_login());
  Template attributes;
  add_usage(attributes, purpose);
  attributes.flag(CKA_TOKEN, false).bytes(CKA_VALUE, value);
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  const CK_RV rv =
      module_.functions().C_CreateObject(login_, attributes.data(), attributes.size(), &object);
  if (rv != CKR_OK) return fail(failed(rv));
  return KeyHandle(
      remember(std::make_unique<KeyRecord>(*this, Origin::imported, std::string(), object)));
}

Result<void> Token::check_owner(KeyHandle key) const noexcept {
  if (key.record_->token == this) return {};
  return fail({ErrorCode::invalid_argument, "HSM: the key belongs to another token"});
}

Result<unsigned long> Token::object_of(KeyHandle key) {
  SR_CHECK_OK(check_owner(key));
  KeyRecord& record = *key.record_;
  if (const CK_OBJECT_HANDLE object = record.object; object != CK_INVALID_HANDLE) return object;
  const std::scoped_lock lock(mutex_);
  return resolve(record);
}

Result<unsigned long> Token::resolve(KeyRecord& record) {
  if (record.destroyed) return fail({ErrorCode::gone, "HSM: the key was destroyed"});
  SR_CHECK_OK(ensure_login());
  if (record.object != CK_INVALID_HANDLE) return record.object.load();
  switch (record.origin) {
    case Origin::imported:
      return fail({ErrorCode::gone, "HSM: the session key was lost with its session"});
    case Origin::token_object: {
      SR_TRY(record.object, find_object(CKA_LABEL, as_bytes(record.label)));
      break;
    }
    case Origin::session_copy: {
      SR_TRY(const CK_OBJECT_HANDLE source, resolve(*record.source));
      SR_TRY(record.object, copy_object(source));
      break;
    }
  }
  return record.object.load();
}

Result<KeyAttributes> Token::attributes(KeyHandle key) {
  SR_CHECK_OK(check_owner(key));
  const std::scoped_lock lock(mutex_);
  SR_TRY(const CK_OBJECT_HANDLE object, resolve(*key.record_));
  ObjectReader reader(module_.functions(), login_, object);
  KeyAttributes attributes = reader.key_attributes();
  if (reader.error() != CKR_OK) return fail(failed(reader.error()));
  return attributes;
}

Result<void> Token::destroy_object(KeyRecord& record) {
  SR_CHECK_OK(ensure_login());
  // A copy that ended with an earlier login needs no call: making it anew to destroy it could fail.
  const bool ended =
      !record.destroyed && record.source != nullptr && record.object == CK_INVALID_HANDLE;
  if (!ended) {
    SR_TRY(const CK_OBJECT_HANDLE object, resolve(record));
    const CK_RV rv = module_.functions().C_DestroyObject(login_, object);
    // What ended with its session is gone.
    const bool ended_since = record.origin == Origin::session_copy && object_is_stale(rv);
    if (rv != CKR_OK && !ended_since) return fail(failed(rv));
  }
  record.destroyed = true;
  record.object = CK_INVALID_HANDLE;
  return {};
}

Result<void> Token::destroy_key(KeyHandle key) {
  SR_CHECK_OK(check_owner(key));
  const std::scoped_lock lock(mutex_);
  for (const auto& record : records_) {
    if (record->source == key.record_ && !record->destroyed) SR_CHECK_OK(destroy_object(*record));
  }
  return destroy_object(*key.record_);
}

}  // namespace strongroom::pkcs11

#include "pkcs11/session.h"

#include <algorithm>
#include <memory>

#include "base/encoding.h"
#include "base/secret.h"
#include "base/try.h"
#include "crypto/random.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/errors.h"
#include "pkcs11/key_record.h"

namespace strongroom::pkcs11 {
namespace {

constexpr std::string_view kCheckLabel = "strongroom/kcv/1";
constexpr Error kNotVerified{ErrorCode::permission_denied, "HSM: the ciphertext does not verify"};
constexpr Error kOpensNothing{ErrorCode::unavailable,
                              "HSM: it does not open what it has sealed under the same key"};
static_assert(kCheckLabel.size() == 16);

CK_GCM_PARAMS gcm_params(std::span<const std::byte, kGcmNonceBytes> nonce,
                         std::span<const std::byte> aad) {
  return {.pIv = bytes_of(nonce),
          .ulIvLen = kGcmNonceBytes,
          .ulIvBits = kGcmNonceBytes * 8,
          .pAAD = bytes_of(aad),
          .ulAADLen = aad.size(),
          .ulTagBits = kGcmTagBytes * 8};
}

Result<void> check_sizes(std::span<const std::byte> data, std::span<const std::byte> more = {}) {
  if (data.size() > kDataBytesMax || more.size() > kDataBytesMax) {
    return fail({ErrorCode::too_large, "HSM: too much data for one call"});
  }
  return {};
}

}  // namespace

Session::Session(Token& token, unsigned long handle) noexcept : token_(&token), handle_(handle) {
  ++token_->sessions_;
}

Session::~Session() {
  if (token_ == nullptr) return;
  close();
  --token_->sessions_;
}

Result<Session> Session::open(Token& token) {
  SR_TRY(const CK_SESSION_HANDLE handle, token.open_session());
  return Session(token, handle);
}

void Session::close() noexcept {
  if (handle_ == CK_INVALID_HANDLE) return;
  token_->module().functions().C_CloseSession(std::exchange(handle_, CK_INVALID_HANDLE));
}

Result<void> Session::ensure_open() {
  if (handle_ != CK_INVALID_HANDLE) return {};
  SR_TRY(handle_, token_->open_session());
  return {};
}

Result<unsigned long> Session::prepare(KeyHandle key) {
  SR_CHECK_OK(ensure_open());
  return token_->object_of(key);
}

Error Session::failed(unsigned long rv, KeyHandle key, unsigned long object) {
  // Only the handle that was used is forgotten: another thread may have found the key again
  // already.
  if (object_is_stale(rv)) {
    key.record_->object.compare_exchange_strong(object, CK_INVALID_HANDLE);
  }
  if (session_is_lost(rv)) close();
  return error_of(rv);
}

Result<void> Session::encrypt_gcm(KeyHandle key, std::span<std::byte, kGcmNonceBytes> nonce,
                                  std::span<const std::byte> aad,
                                  std::span<const std::byte> plaintext, std::span<std::byte> out) {
  SR_CHECK_OK(check_sizes(plaintext, aad));
  if (plaintext.empty() || out.size() != plaintext.size() + kGcmTagBytes) {
    return fail({ErrorCode::invalid_argument, "HSM: wrong size of plaintext or output"});
  }
  SR_TRY(const CK_OBJECT_HANDLE object, prepare(key));
  const Module& module = token_->module();
  CK_GCM_PARAMS params = gcm_params(nonce, aad);
  CK_MECHANISM mechanism{module.mechanisms().aes_gcm, &params, sizeof params};
  CK_RV rv = module.functions().C_EncryptInit(handle_, &mechanism, object);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  CK_ULONG written = out.size();
  rv = module.functions().C_Encrypt(handle_, bytes_of(plaintext), plaintext.size(), bytes_of(out),
                                    &written);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  if (written != out.size()) return fail({ErrorCode::corrupt, "HSM: wrong size of ciphertext"});
  return {};
}

Result<std::size_t> Session::decrypt_gcm(KeyHandle key,
                                         std::span<const std::byte, kGcmNonceBytes> nonce,
                                         std::span<const std::byte> aad,
                                         std::span<const std::byte> sealed,
                                         std::span<std::byte> out) {
  SR_CHECK_OK(check_sizes(sealed, aad));
  if (sealed.size() <= kGcmTagBytes || out.size() < sealed.size()) {
    return fail({ErrorCode::invalid_argument, "HSM: wrong size of ciphertext or output"});
  }
  const auto opened = decrypt_once(key, nonce, aad, sealed, out);
  if (opened || opened.error().code() != ErrorCode::permission_denied) return opened;
  SR_CHECK_OK(opens_its_own(key));
  return decrypt_once(key, nonce, aad, sealed, out);
}

Result<void> Session::opens_its_own(KeyHandle key) {
  SR_CHECK_OK(token_->check_owner(key));
  std::shared_ptr<const KeyRecord::OwnSeal> own = key.record_->own_seal.load();
  if (!own) {
    KeyRecord::OwnSeal made;
    crypto::SystemRandom().fill(made.nonce);  // not every token has a generator
    const auto sealed = encrypt_gcm(key, made.nonce, {}, as_bytes(kCheckLabel), made.sealed);
    if (!sealed) return fail(kOpensNothing.with_detail(sealed.error().detail()));
    own = std::make_shared<const KeyRecord::OwnSeal>(made);
    key.record_->own_seal.store(own);
  }
  std::array<std::byte, KeyRecord::OwnSeal::kBytes> out;
  const auto opened = decrypt_once(key, own->nonce, {}, own->sealed, out);
  if (!opened) return fail(kOpensNothing.with_detail(opened.error().detail()));
  return {};
}

Result<std::size_t> Session::decrypt_once(KeyHandle key,
                                          std::span<const std::byte, kGcmNonceBytes> nonce,
                                          std::span<const std::byte> aad,
                                          std::span<const std::byte> sealed,
                                          std::span<std::byte> out) {
  SR_TRY(const CK_OBJECT_HANDLE object, prepare(key));
  const Module& module = token_->module();
  CK_GCM_PARAMS params = gcm_params(nonce, aad);
  CK_MECHANISM mechanism{module.mechanisms().aes_gcm, &params, sizeof params};
  CK_RV rv = module.functions().C_DecryptInit(handle_, &mechanism, object);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  CK_ULONG written = out.size();
  rv = module.functions().C_Decrypt(handle_, bytes_of(sealed), sealed.size(), bytes_of(out),
                                    &written);
  const bool opened = rv == CKR_OK && written == sealed.size() - kGcmTagBytes;
  wipe(out.subspan(opened ? written : 0));
  if (opened) return written;
  const Error error = failed(rv, key, object);
  if (session_is_lost(rv)) return fail(error);
  return fail(kNotVerified.with_detail(error.detail()));
}

Result<std::array<std::byte, 32>> Session::hmac_sha256(KeyHandle key,
                                                       std::span<const std::byte> data) {
  SR_CHECK_OK(check_sizes(data));
  SR_TRY(const CK_OBJECT_HANDLE object, prepare(key));
  const Module& module = token_->module();
  CK_MECHANISM mechanism{module.mechanisms().sha256_hmac, nullptr, 0};
  CK_RV rv = module.functions().C_SignInit(handle_, &mechanism, object);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  std::array<std::byte, 32> mac;
  CK_ULONG written = mac.size();
  rv = module.functions().C_Sign(handle_, bytes_of(data), data.size(), bytes_of(mac), &written);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  if (written != mac.size()) return fail({ErrorCode::corrupt, "HSM: wrong size of MAC"});
  return mac;
}

Result<void> Session::random(std::span<std::byte> out) {
  SR_CHECK_OK(check_sizes(out));
  SR_CHECK_OK(ensure_open());
  const CK_RV rv =
      token_->module().functions().C_GenerateRandom(handle_, bytes_of(out), out.size());
  if (rv == CKR_OK) return {};
  if (session_is_lost(rv)) close();
  return fail(error_of(rv));
}

Result<std::array<std::byte, 16>> Session::encrypt_label_block(KeyHandle key) {
  SR_TRY(const CK_OBJECT_HANDLE object, prepare(key));
  const Module& module = token_->module();
  CK_MECHANISM mechanism{module.mechanisms().aes_ecb, nullptr, 0};
  CK_RV rv = module.functions().C_EncryptInit(handle_, &mechanism, object);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  std::array<std::byte, 16> block;
  CK_ULONG written = block.size();
  rv = module.functions().C_Encrypt(handle_, bytes_of(kCheckLabel), kCheckLabel.size(),
                                    bytes_of(block), &written);
  if (rv != CKR_OK) return fail(failed(rv, key, object));
  if (written != block.size()) return fail({ErrorCode::corrupt, "HSM: wrong size of ciphertext"});
  return block;
}

Result<CheckValue> Session::check_value(KeyHandle key) {
  SR_TRY(const KeyAttributes attributes, token_->attributes(key));
  CheckValue value;
  switch (attributes.purpose) {
    case KeyPurpose::aes256_wrap: {
      SR_TRY(const auto block, encrypt_label_block(key));
      std::copy_n(block.begin(), value.size(), value.begin());
      break;
    }
    case KeyPurpose::hmac_sha256: {
      SR_TRY(const auto mac, hmac_sha256(key, as_bytes(kCheckLabel)));
      std::copy_n(mac.begin(), value.size(), value.begin());
      break;
    }
  }
  return value;
}

}  // namespace strongroom::pkcs11

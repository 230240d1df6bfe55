// vaultd's keys at work. Associated data binds a wrapped DEK to its token and to the KEK version,
// so a row's DEK cannot be swapped for another's (docs/formats/sealed-blob.md).
#include "cde/keys/hsm_key_ring.h"

#include <array>
#include <memory>
#include <utility>

#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

constexpr std::size_t kDekBytes = crypto::Aead::kKeySize;
constexpr Error kNotOpen{ErrorCode::unavailable, "the keys are not open yet"};
constexpr Error kNoUses{ErrorCode::unavailable, "no use of the key is reserved"};
constexpr Error kHeld{ErrorCode::sealed,
                      "nothing is encrypted while the key registry is not as vaultd wrote it"};
constexpr Error kNotWrapped{ErrorCode::unavailable, "the HSM does not wrap under the active key"};
constexpr Error kWrongWrap{ErrorCode::unavailable,
                           "the HSM does not open what it has just wrapped"};
constexpr Error kNoVersion{ErrorCode::gone, "the DEK is under a version of the key that is gone"};

// The active version, of which `count` uses are taken.
Result<const OpenKey*> take(const KeySet* set, KeyName name, std::int64_t count = 1) {
  const OpenKey* const open = set ? set->active(name) : nullptr;
  if (open == nullptr) return fail(kNotOpen);
  if (!open->uses_left->take(count)) return fail(kNoUses);
  return open;
}

// The same of a key without such a limit: HMAC has none.
Result<const OpenKey*> use(const KeySet* set, KeyName name) {
  const OpenKey* const open = set ? set->active(name) : nullptr;
  if (open == nullptr) return fail(kNotOpen);
  open->uses_left->count();
  return open;
}

crypto::Context dek_context(TokenId token, std::uint32_t version) {
  crypto::Context context("strongroom/dek/1");
  context.add(token.bytes).add("pan-encryption").add(version);
  return context;
}

Result<Fingerprint> fingerprint(pkcs11::Session& session, const OpenKey& key,
                                std::string_view merchant, std::span<const std::byte> pan_digits) {
  SR_TRY(const SecretBytes message,
         crypto::Context("strongroom/fp/1").add(merchant).with_secret(pan_digits));
  SR_TRY(const Fingerprint tag, session.hmac_sha256(key.handle, message.reveal()));
  return tag;
}

Result<crypto::Sealed> wrap(pkcs11::Session& session, const OpenKey& kek, crypto::Random& random,
                            const SecretBytes& dek, TokenId token) {
  std::array<std::byte, pkcs11::kGcmNonceBytes> nonce;
  random.fill(nonce);
  std::array<std::byte, kDekBytes + pkcs11::kGcmTagBytes> out;
  const std::uint32_t version = kek.key.version;
  const crypto::Context context = dek_context(token, version);
  SR_CHECK_OK(session.encrypt_gcm(kek.handle, nonce, context.bytes(), dek.reveal(), out));
  return crypto::Sealed::from_parts(version, nonce, out);
}

Result<SecretBytes> unwrap_dek(pkcs11::Session& session, const KeySet& set,
                               const crypto::Sealed& wrapped, TokenId token) {
  const OpenKey* const kek = set.find(KeyName::pan_encryption, wrapped.key_version());
  if (kek == nullptr) return fail(kNoVersion);
  SR_TRY(SecretBytes dek, SecretBytes::allocate(wrapped.ciphertext_and_tag().size()));
  const crypto::Context context = dek_context(token, wrapped.key_version());
  SR_TRY(const std::size_t size, session.decrypt_gcm(kek->handle, wrapped.nonce(), context.bytes(),
                                                     wrapped.ciphertext_and_tag(), dek.reveal()));
  if (size != kDekBytes) return fail({ErrorCode::corrupt, "the wrapped DEK has another size"});
  dek.shrink(size);
  return dek;
}

}  // namespace

std::uint32_t HsmKeyRing::version_of(KeyName name) const {
  const std::shared_ptr<const KeySet> set = sets_.latest();
  const OpenKey* const open = set ? set->active(name) : nullptr;
  return open ? open->key.version : 0;
}

async::Task<Result<ProtectedCard>> HsmKeyRing::protect(std::string_view merchant,
                                                       std::span<const std::byte> pan_digits,
                                                       const SecretBytes& dek, TokenId token) {
  if (sets_.held()) co_return fail(kHeld);
  const std::shared_ptr<const KeySet> set = sets_.latest();
  SR_CO_TRY(const OpenKey* const finder, use(set.get(), KeyName::pan_fingerprint));
  SR_CO_TRY(const OpenKey* const kek, take(set.get(), KeyName::pan_encryption));
  auto work = [&](pkcs11::Token&, pkcs11::Session& session) -> Result<ProtectedCard> {
    SR_TRY(const Fingerprint print, fingerprint(session, *finder, merchant, pan_digits));
    SR_TRY(crypto::Sealed wrapped, wrap(session, *kek, random_, dek, token));
    return ProtectedCard{print, finder->key.version, std::move(wrapped)};
  };
  co_return co_await trips_.run(work);
}

async::Task<Result<SecretBytes>> HsmKeyRing::unwrap(const crypto::Sealed& wrapped, TokenId token) {
  const std::shared_ptr<const KeySet> set = sets_.latest();
  if (!set) co_return fail(kNotOpen);
  auto work = [&](pkcs11::Token&, pkcs11::Session& session) {
    return unwrap_dek(session, *set, wrapped, token);
  };
  co_return co_await trips_.run(work);
}

async::Task<Result<std::vector<Result<crypto::Sealed>>>> HsmKeyRing::rewrap(
    std::span<const WrappedDek> deks) {
  if (sets_.held()) co_return fail(kHeld);
  const std::shared_ptr<const KeySet> set = sets_.latest();
  SR_CO_TRY(const OpenKey* const kek,
            take(set.get(), KeyName::pan_encryption, static_cast<std::int64_t>(deks.size())));
  auto move = [&](pkcs11::Session& session, const WrappedDek& one) -> Result<crypto::Sealed> {
    SR_TRY(const SecretBytes dek, unwrap_dek(session, *set, one.wrapped, one.token));
    Result<crypto::Sealed> moved = wrap(session, *kek, random_, dek, one.token);
    // What the HSM refuses here says nothing of the card.
    const bool refused = !moved && moved.error().code() == ErrorCode::permission_denied;
    if (refused) return fail(kNotWrapped.with_detail(moved.error().detail()));
    if (!moved) return moved;
    // It takes the place of the only other one.
    const auto again = unwrap_dek(session, *set, *moved, one.token);
    if (!again || !equal_constant_time(again->reveal(), dek.reveal())) return fail(kWrongWrap);
    return moved;
  };
  auto work = [&](pkcs11::Token&,
                  pkcs11::Session& session) -> Result<std::vector<Result<crypto::Sealed>>> {
    std::vector<Result<crypto::Sealed>> moved;
    moved.reserve(deks.size());
    for (const WrappedDek& one : deks) {
      moved.push_back(move(session, one));
      const bool away = !moved.back() && moved.back().error().code() == ErrorCode::unavailable;
      if (away) return fail(moved.back().error());
    }
    return moved;
  };
  co_return co_await trips_.run(work);
}

async::Task<Result<BlindIndex>> HsmKeyRing::blind_index(std::string_view value) {
  const std::shared_ptr<const KeySet> set = sets_.latest();
  SR_CO_TRY(const OpenKey* const key, use(set.get(), KeyName::blind_index));
  auto work = [&](pkcs11::Token&, pkcs11::Session& session) -> Result<BlindIndex> {
    crypto::Context context("strongroom/blind-index/1");
    context.add(value);
    SR_TRY(const BlindIndex tag, session.hmac_sha256(key->handle, context.bytes()));
    return tag;
  };
  co_return co_await trips_.run(work);
}

}  // namespace strongroom::cde

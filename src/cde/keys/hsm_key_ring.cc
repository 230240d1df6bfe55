// vaultd's keys at work. Associated data binds a wrapped DEK to its token and to the KEK version,
// so a row's DEK cannot be swapped for another's (docs/formats/sealed-blob.md).
#include "cde/keys/hsm_key_ring.h"

#include <array>
#include <functional>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

// Version 1 of a key, and what is said of one that is not as we make it.
struct OwnKey {
  std::string_view label;
  pkcs11::KeyPurpose purpose;
  Error unfit;
};
constexpr OwnKey kPanEncryption{
    "strongroom/pan-encryption/1",
    pkcs11::KeyPurpose::aes256_wrap,
    {ErrorCode::permission_denied,
     "the HSM's strongroom/pan-encryption/1 has another purpose, or can be read out"}};
constexpr OwnKey kPanFingerprint{
    "strongroom/pan-fingerprint/1",
    pkcs11::KeyPurpose::hmac_sha256,
    {ErrorCode::permission_denied,
     "the HSM's strongroom/pan-fingerprint/1 has another purpose, or can be read out"}};
constexpr OwnKey kBlindIndex{
    "strongroom/blind-index/1",
    pkcs11::KeyPurpose::hmac_sha256,
    {ErrorCode::permission_denied,
     "the HSM's strongroom/blind-index/1 has another purpose, or can be read out"}};
constexpr std::size_t kDekBytes = crypto::Aead::kKeySize;

Result<void> generate_missing(pkcs11::Token& token, const OwnKey& key, const AroundKey& around) {
  const auto found = token.find_key(key.label);
  if (found) return {};
  if (found.error().code() != ErrorCode::not_found) return fail(found.error());
  return around(key.label, [&]() -> Result<void> {
    const std::span<const std::byte> id = as_bytes(key.label);  // as unique as the label
    const auto made =
        token.generate_secret_key({std::string(key.label), {id.begin(), id.end()}, key.purpose});
    if (!made) return fail(made.error());
    return {};
  });
}

// A label is anybody's who can write to the token; attributes are the HSM's word.
Result<KeyVersion> open_version(pkcs11::Token& token, pkcs11::Session& session, const OwnKey& key,
                                bool copy) {
  SR_TRY(pkcs11::KeyHandle handle, token.find_key(key.label));
  SR_TRY(const pkcs11::KeyAttributes attributes, token.attributes(handle));
  if (attributes.purpose != key.purpose || !attributes.sensitive || attributes.extractable) {
    return fail(key.unfit);
  }
  SR_TRY(const pkcs11::CheckValue check_value, session.check_value(handle));
  if (copy) {
    SR_TRY(handle, token.copy_to_session(handle));
  }
  return KeyVersion{1, handle, check_value};
}

crypto::Context dek_context(TokenId token, std::uint32_t version) {
  crypto::Context context("strongroom/dek/1");
  context.add(token.bytes).add("pan-encryption").add(version);
  return context;
}

Result<Fingerprint> fingerprint(pkcs11::Session& session, const KeyVersion& key,
                                std::string_view merchant, std::span<const std::byte> pan_digits) {
  SR_TRY(const SecretBytes message,
         crypto::Context("strongroom/fp/1").add(merchant).with_secret(pan_digits));
  SR_TRY(const Fingerprint tag, session.hmac_sha256(key.handle, message.reveal()));
  return tag;
}

Result<crypto::Sealed> wrap(pkcs11::Session& session, const KeyVersion& kek, crypto::Random& random,
                            const SecretBytes& dek, TokenId token) {
  std::array<std::byte, pkcs11::kGcmNonceBytes> nonce;
  random.fill(nonce);
  std::array<std::byte, kDekBytes + pkcs11::kGcmTagBytes> out;
  const crypto::Context context = dek_context(token, kek.version);
  SR_CHECK_OK(session.encrypt_gcm(kek.handle, nonce, context.bytes(), dek.reveal(), out));
  return crypto::Sealed::from_parts(kek.version, nonce, out);
}

Result<SecretBytes> unwrap_dek(pkcs11::Session& session, const KeyVersion& kek,
                               const crypto::Sealed& wrapped, TokenId token) {
  if (wrapped.key_version() != kek.version) {
    return fail({ErrorCode::corrupt, "the DEK is wrapped under an unknown key version"});
  }
  SR_TRY(SecretBytes dek, SecretBytes::allocate(wrapped.ciphertext_and_tag().size()));
  const crypto::Context context = dek_context(token, kek.version);
  SR_TRY(const std::size_t size, session.decrypt_gcm(kek.handle, wrapped.nonce(), context.bytes(),
                                                     wrapped.ciphertext_and_tag(), dek.reveal()));
  if (size != kDekBytes) return fail({ErrorCode::corrupt, "the wrapped DEK has another size"});
  dek.shrink(size);
  return dek;
}

}  // namespace

Result<void> VaultKeys::generate(pkcs11::Token& token, const AroundKey& around) {
  SR_CHECK_OK(generate_missing(token, kPanEncryption, around));
  SR_CHECK_OK(generate_missing(token, kPanFingerprint, around));
  return generate_missing(token, kBlindIndex, around);
}

Result<VaultKeys> VaultKeys::open(pkcs11::Token& token, bool copy_to_session) {
  SR_TRY(pkcs11::Session session, pkcs11::Session::open(token));
  const auto open = [&](const OwnKey& key) {
    return open_version(token, session, key, copy_to_session);
  };
  SR_TRY(const KeyVersion encryption, open(kPanEncryption));
  SR_TRY(const KeyVersion print, open(kPanFingerprint));
  SR_TRY(const KeyVersion index, open(kBlindIndex));
  return VaultKeys{encryption, print, index};
}

HsmKeyRing::HsmKeyRing(async::Loop& loop, const VaultKeys& keys, HsmCalls calls,
                       crypto::Random& random)
    : loop_(loop), keys_(keys), calls_(calls), random_(random) {
  if (calls_.pool == nullptr) own_.emplace(calls_.sessions->lease());
}

// Runs `work` with exclusive use of a session and notes whether the HSM answered.
template <class Work>
auto HsmKeyRing::with_session(Work work)
    -> async::Task<std::invoke_result_t<Work&, pkcs11::Session&>> {
  using Answer = std::invoke_result_t<Work&, pkcs11::Session&>;
  std::optional<Answer> answer;
  if (own_) {
    answer.emplace(work(**own_));
  } else {
    auto job = [this, &work]() -> Answer {
      pkcs11::Lease lease = calls_.sessions->lease();
      return work(*lease);
    };
    answer.emplace(co_await calls_.pool->run(loop_, job));
  }
  hsm_answers_ = *answer || answer->error().code() != ErrorCode::unavailable;
  co_return *std::move(answer);
}

async::Task<void> HsmKeyRing::check() {
  auto ask = [this] { return calls_.token->check(); };
  Result<void> answer;
  if (own_) {
    answer = ask();
  } else {
    answer = co_await calls_.pool->run(loop_, ask);
  }
  // Too many calls wait: the HSM is slow, not gone.
  hsm_answers_ = answer || answer.error().code() == ErrorCode::exhausted;
}

async::Task<Result<ProtectedCard>> HsmKeyRing::protect(std::string_view merchant,
                                                       std::span<const std::byte> pan_digits,
                                                       const SecretBytes& dek, TokenId token) {
  auto work = [&](pkcs11::Session& session) -> Result<ProtectedCard> {
    SR_TRY(const Fingerprint print,
           fingerprint(session, keys_.pan_fingerprint, merchant, pan_digits));
    SR_TRY(crypto::Sealed wrapped, wrap(session, keys_.pan_encryption, random_, dek, token));
    return ProtectedCard{print, keys_.pan_fingerprint.version, std::move(wrapped)};
  };
  co_return co_await with_session(std::ref(work));
}

async::Task<Result<SecretBytes>> HsmKeyRing::unwrap(const crypto::Sealed& wrapped, TokenId token) {
  auto work = [&](pkcs11::Session& session) {
    return unwrap_dek(session, keys_.pan_encryption, wrapped, token);
  };
  co_return co_await with_session(std::ref(work));
}

async::Task<Result<BlindIndex>> HsmKeyRing::blind_index(std::string_view value) {
  auto work = [&](pkcs11::Session& session) -> Result<BlindIndex> {
    crypto::Context context("strongroom/blind-index/1");
    context.add(value);
    SR_TRY(const BlindIndex tag, session.hmac_sha256(keys_.blind_index.handle, context.bytes()));
    return tag;
  };
  co_return co_await with_session(std::ref(work));
}

}  // namespace strongroom::cde

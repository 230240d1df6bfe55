// VaultKeys: vaultd's keys in the HSM, found once at start. KeyRing: what one worker does with
// them. No key value ever reaches this process; DEKs pass through in secret memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "base/result.h"
#include "cde/keys/key_ring.h"
#include "crypto/random.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/token.h"

namespace strongroom::cde {

// One version of a key: its number, from 1, where it is, and what tells it from another key.
struct KeyVersion {
  std::uint32_t version;
  pkcs11::KeyHandle handle;
  pkcs11::CheckValue check_value;
};

// What stands around the making of a key: it calls `make` once and returns what that does, unless
// it ends the making with an error of its own before.
using AroundKey =
    std::function<Result<void>(std::string_view label, const std::function<Result<void>()>& make)>;

// The active version of each of vaultd's keys (design section 5). HSM labels are
// `strongroom/<name>/<version>`.
struct VaultKeys {
  KeyVersion pan_encryption;   // KEK, AES-256: wraps DEKs
  KeyVersion pan_fingerprint;  // HMAC-SHA256: finds duplicates
  KeyVersion blind_index;      // HMAC-SHA256: search over sealed columns

  // Makes version 1 of every key that the token lacks; repeating it changes nothing.
  [[nodiscard]] static Result<void> generate(
      pkcs11::Token& token,
      const AroundKey& around = [](std::string_view, const auto& make) { return make(); });
  // Finds the keys; with `copy_to_session`, works with copies as session objects (SoftHSM reads its
  // files on every use of a token object). not_found: run `vaultd --init`. permission_denied: a key
  // is of another purpose, or its value can leave the HSM: it was not made by `vaultd --init`.
  [[nodiscard]] static Result<VaultKeys> open(pkcs11::Token& token, bool copy_to_session);
};

// Where HSM calls run: on the worker's own session (a local module answers in microseconds), or on
// the threads of a pool (a network HSM would hold up the Loop).
struct HsmCalls {
  pkcs11::Token* token;
  pkcs11::SessionPool* sessions;
  async::BlockingPool* pool;  // null: inline
};

class HsmKeyRing final : public KeyRing {
 public:
  // Everything borrowed outlives the ring.
  HsmKeyRing(async::Loop& loop, const VaultKeys& keys, HsmCalls calls, crypto::Random& random);

  async::Task<Result<ProtectedCard>> protect(std::string_view merchant,
                                             std::span<const std::byte> pan_digits,
                                             const SecretBytes& dek, TokenId token) override;
  async::Task<Result<SecretBytes>> unwrap(const crypto::Sealed& wrapped, TokenId token) override;
  async::Task<Result<BlindIndex>> blind_index(std::string_view value) override;
  std::uint32_t blind_index_version() const override { return keys_.blind_index.version; }
  bool hsm_answers() const override { return hsm_answers_; }
  // Asks the HSM whether it is there, which hsm_answers() tells from then on; logs in again where a
  // login was lost.
  [[nodiscard]] async::Task<void> check();

 private:
  template <class Work>
  auto with_session(Work work) -> async::Task<std::invoke_result_t<Work&, pkcs11::Session&>>;

  async::Loop& loop_;
  const VaultKeys& keys_;
  HsmCalls calls_;
  crypto::Random& random_;
  std::optional<pkcs11::Lease> own_;  // inline: this worker's session, held for good
  bool hsm_answers_ = true;
};

}  // namespace strongroom::cde

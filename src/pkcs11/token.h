// Token: one logged-in PKCS#11 token and the keys in it. It keeps one session logged in for as long
// as it lives; everything that creates, finds or destroys keys runs there, one call at a time,
// because modules are known to fail when several threads create objects (SoftHSMv2 issue 573).
// Using keys is Session's part.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "pkcs11/key_handle.h"
#include "pkcs11/module.h"

namespace strongroom::pkcs11 {

// Token is thread-safe. A lost login (the HSM restarted, the token was pulled) is made anew by the
// next call that needs it, at most once per kLoginInterval; until that works, calls answer
// `unavailable`, also where the PIN is refused then, which is logged and never tried again. Every
// call can answer `unavailable` (the HSM does not); other errors are listed.
class Token {
 public:
  static constexpr std::chrono::milliseconds kLoginInterval{1000};
  static constexpr std::size_t kLabelMax = 32;

  // Logs in to the token named `label`. The PIN stays in secret memory, to log in again with.
  // Errors: not_found (no such token), conflict (two tokens of that name, or the token is logged in
  // to already by this process), permission_denied (PIN wrong, locked or expired; the text does not
  // say of which token). A refused PIN is never tried twice: that would lock it; nor
  // is one tried where the token says that another wrong one locks it (conflict).
  [[nodiscard]] static Result<std::unique_ptr<Token>> open(Module& module, std::string_view label,
                                                           SecretBytes pin);

  // Gives the blank token in `slot` its name and PINs. An initialized token is never touched, as
  // that would destroy its keys, unless it has no user PIN yet (an earlier call was cut short).
  // Errors: conflict (initialized already, or the name is taken), invalid_argument (label
  // not 1..kLabelMax bytes), permission_denied (the token refuses a PIN).
  [[nodiscard]] static Result<void> initialize(Module& module, SlotId slot, std::string_view label,
                                               const SecretBytes& so_pin,
                                               const SecretBytes& user_pin);

  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token();  // logs out; aborts when Sessions are still open

  [[nodiscard]] const TokenInfo& info() const noexcept { return info_; }
  [[nodiscard]] Module& module() const noexcept { return module_; }
  // Asks the token whether it is there and logged in to; logs in again when it is not.
  [[nodiscard]] Result<void> check();
  // True when the token offers mechanism `mechanism` (C_GetMechanismInfo).
  [[nodiscard]] Result<bool> supports(std::uint64_t mechanism);

  // Makes a key inside the token that stays there: token object, private, sensitive, never
  // extractable, for its purpose only. Durable on return as far as the module is. Errors: conflict
  // (the label is taken), invalid_argument (label, id, or no such mechanism). Two processes that
  // make the same label at once may both succeed; find_key then says conflict.
  [[nodiscard]] Result<KeyHandle> generate_secret_key(const KeySpec& spec);
  // The one secret key on the token labelled `label`: not_found, conflict (several). Slow where
  // tokens hold many objects (23 ms at 1000 in SoftHSM): call it at start and keep the handle.
  [[nodiscard]] Result<KeyHandle> find_key(std::string_view label);
  // The labels of all secret keys on the token, in any order. Slow as find_key is.
  [[nodiscard]] Result<std::vector<std::string>> key_labels();
  // A working copy of a token key as a session object: equal results, without SoftHSM's reading of
  // the token's files on each use (2.5 times as fast there). It ends with the Token, or with
  // destroy_key of either handle; a lost login makes it anew. permission_denied where the module
  // forbids it.
  [[nodiscard]] Result<KeyHandle> copy_to_session(KeyHandle key);
  // Brings a known 32-byte value in as a session object, for known-answer checks of a module
  // against our own software; never for keys that protect data. permission_denied where the module
  // forbids it. It is `gone` after a lost login.
  [[nodiscard]] Result<KeyHandle> import_session_key(KeyPurpose purpose,
                                                     std::span<const std::byte, 32> value);
  [[nodiscard]] Result<KeyAttributes> attributes(KeyHandle key);
  // Destroys a key for good, its session copies first. Handles to it answer `gone` from then on.
  [[nodiscard]] Result<void> destroy_key(KeyHandle key);

 private:
  friend class Session;
  Token(Module& module, Slot slot, SecretBytes pin);

  // For Session: a new session of a logged-in token, and the object a key stands for now.
  [[nodiscard]] Result<unsigned long> open_session();
  [[nodiscard]] Result<unsigned long> object_of(KeyHandle key);
  [[nodiscard]] Result<void> check_owner(KeyHandle key) const noexcept;

  // All below REQUIRE mutex_.
  enum class AlreadyLoggedIn : std::uint8_t { refuse, accept };
  [[nodiscard]] Result<void> log_in(AlreadyLoggedIn already);
  [[nodiscard]] Result<void> ensure_login();
  [[nodiscard]] Result<void> find_slot_again();
  void drop_login() noexcept;
  // What `rv` means; drops the login when `rv` says that it is lost.
  [[nodiscard]] Error failed(unsigned long rv) noexcept;
  KeyRecord& remember(std::unique_ptr<KeyRecord> record);
  [[nodiscard]] Result<unsigned long> resolve(KeyRecord& record);
  // The one secret key on the token of which `attribute` is `value`: not_found, conflict.
  [[nodiscard]] Result<unsigned long> find_object(unsigned long attribute,
                                                  std::span<const std::byte> value);
  // conflict when find_object finds one.
  [[nodiscard]] Result<void> check_free(unsigned long attribute, std::span<const std::byte> value);
  [[nodiscard]] Result<unsigned long> copy_object(unsigned long source);
  [[nodiscard]] Result<void> destroy_object(KeyRecord& record);

  Module& module_;
  SlotId slot_;
  TokenInfo info_;
  std::atomic<int> sessions_ = 0;
  std::mutex mutex_;
  SecretBytes pin_;          // empty once it was refused: then nobody logs in again
  unsigned long login_ = 0;  // a CK_SESSION_HANDLE; 0 when there is none
  std::chrono::steady_clock::time_point next_login_{};
  std::vector<std::unique_ptr<KeyRecord>> records_;  // never shrinks: handles point into it
};

}  // namespace strongroom::pkcs11

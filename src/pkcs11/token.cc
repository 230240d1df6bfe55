// Opening, initializing and logging in to a token. A refused PIN is forgotten at once: tokens lock
// after a few wrong ones, and a daemon that tries again by itself would lock the vault.
#include "pkcs11/token.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/errors.h"
#include "pkcs11/key_record.h"

namespace strongroom::pkcs11 {
namespace {

constexpr CK_FLAGS kReadWrite = CKF_SERIAL_SESSION | CKF_RW_SESSION;
constexpr Error kFinalTry{ErrorCode::conflict,
                          "HSM: one more wrong PIN would lock the token; log in with its vendor's"
                          " tool first"};
constexpr Error kFinalTryLater{ErrorCode::unavailable,
                               "HSM: one more wrong PIN would lock the token; a login with its"
                               " vendor's tool sets the count back"};
constexpr Error kPinRefused{
    ErrorCode::unavailable,
    "HSM: it has refused the PIN, which is not tried again before a restart"};

// The session of one token ceremony.
class CeremonySession {
 public:
  explicit CeremonySession(const CK_FUNCTION_LIST& functions) : functions_(functions) {}
  CeremonySession(const CeremonySession&) = delete;
  CeremonySession& operator=(const CeremonySession&) = delete;
  ~CeremonySession() {
    if (handle_ != CK_INVALID_HANDLE) functions_.C_CloseSession(handle_);  // logs out, too
  }
  CK_RV open(SlotId slot) {
    return functions_.C_OpenSession(slot, kReadWrite, nullptr, nullptr, &handle_);
  }
  CK_SESSION_HANDLE handle() const { return handle_; }

 private:
  const CK_FUNCTION_LIST& functions_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

Result<void> set_user_pin(const CK_FUNCTION_LIST& functions, SlotId slot, const SecretBytes& so_pin,
                          const SecretBytes& user_pin) {
  CeremonySession session(functions);
  CK_RV rv = session.open(slot);
  if (rv != CKR_OK) return fail(error_of(rv));
  rv = functions.C_Login(session.handle(), CKU_SO, bytes_of(so_pin.reveal()), so_pin.size());
  if (rv != CKR_OK) return fail(error_of(rv));
  rv = functions.C_InitPIN(session.handle(), bytes_of(user_pin.reveal()), user_pin.size());
  if (rv != CKR_OK) return fail(error_of(rv));
  return {};
}

Result<void> check_blank(const Module& module, SlotId slot, std::string_view label) {
  SR_TRY(const TokenInfo info, module.token_info(slot));
  if (info.initialized && info.user_pin_set) {
    return fail({ErrorCode::conflict, "HSM: the token is initialized already"});
  }
  if (auto taken = module.find_token(label); taken && taken->id != slot) {
    return fail({ErrorCode::conflict, "HSM: another token has this label"});
  }
  return {};
}

}  // namespace

Result<void> Token::initialize(Module& module, SlotId slot, std::string_view label,
                               const SecretBytes& so_pin, const SecretBytes& user_pin) {
  if (label.empty() || label.size() > kLabelMax) {
    return fail({ErrorCode::invalid_argument, "HSM: a token label has 1 to 32 bytes"});
  }
  SR_CHECK_OK(check_blank(module, slot, label));
  std::array<unsigned char, kLabelMax> padded;  // with blanks, not terminated (section 5.5)
  padded.fill(' ');
  std::ranges::copy(label, padded.begin());
  const CK_FUNCTION_LIST& functions = module.functions();
  const CK_RV rv =
      functions.C_InitToken(slot, bytes_of(so_pin.reveal()), so_pin.size(), padded.data());
  if (rv != CKR_OK) return fail(error_of(rv));
  return set_user_pin(functions, slot, so_pin, user_pin);
}

Token::Token(Module& module, Slot slot, SecretBytes pin)
    : module_(module), slot_(slot.id), info_(std::move(slot.token)), pin_(std::move(pin)) {
  ++module_.tokens_;
}

Result<std::unique_ptr<Token>> Token::open(Module& module, std::string_view label,
                                           SecretBytes pin) {
  SR_TRY(Slot slot, module.find_token(label));
  if (pin.empty()) return fail({ErrorCode::permission_denied, "HSM: the PIN is empty"});
  if (slot.token.pin_final_try) return fail(kFinalTry);
  std::unique_ptr<Token> token(new Token(module, std::move(slot), std::move(pin)));
  const std::scoped_lock lock(token->mutex_);
  SR_CHECK_OK(token->log_in(AlreadyLoggedIn::refuse));
  return token;
}

Token::~Token() {
  SR_CHECK(sessions_ == 0);
  drop_login();
  --module_.tokens_;
}

Result<void> Token::log_in(AlreadyLoggedIn already) {
  const CK_FUNCTION_LIST& functions = module_.functions();
  CK_RV rv = functions.C_OpenSession(slot_, kReadWrite, nullptr, nullptr, &login_);
  if (rv != CKR_OK) {
    login_ = CK_INVALID_HANDLE;
    return fail(error_of(rv));
  }
  rv = functions.C_Login(login_, CKU_USER, bytes_of(pin_.reveal()), pin_.size());
  if (rv == CKR_OK) return {};
  // A login belongs to the process, not to a session: after a failure others' sessions may have
  // kept it. At first it would let a wrong PIN pass.
  if (rv == CKR_USER_ALREADY_LOGGED_IN && already == AlreadyLoggedIn::accept) return {};
  const Error error = error_of(rv);
  if (error.code() == ErrorCode::permission_denied) pin_ = SecretBytes();
  functions.C_CloseSession(std::exchange(login_, CK_INVALID_HANDLE));
  return fail(error);
}

void Token::drop_login() noexcept {
  if (login_ == CK_INVALID_HANDLE) return;
  module_.functions().C_CloseSession(std::exchange(login_, CK_INVALID_HANDLE));
  for (const auto& record : records_) record->object = CK_INVALID_HANDLE;
}

Result<void> Token::ensure_login() {
  if (login_ != CK_INVALID_HANDLE) {
    CK_SESSION_INFO state{};
    const CK_RV rv = module_.functions().C_GetSessionInfo(login_, &state);
    if (rv == CKR_OK && state.state == CKS_RW_USER_FUNCTIONS) return {};
    drop_login();
  }
  // Of what was asked for, a wrong PIN says nothing.
  if (pin_.empty()) return fail(kPinRefused);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_login_) return fail({ErrorCode::unavailable, "HSM: away; the next try is near"});
  next_login_ = now + kLoginInterval;
  SR_CHECK_OK(find_slot_again());
  const Result<void> logged_in = log_in(AlreadyLoggedIn::accept);
  if (pin_.empty()) {
    log::error("the HSM refuses the PIN, which is not tried again", {{"error", logged_in.error()}});
    return fail(kPinRefused.with_detail(logged_in.error().detail()));
  }
  SR_CHECK_OK(logged_in);
  next_login_ = {};
  return {};
}

// A token that comes back may stand in another slot. One of the same label with another serial
// number is another token: its keys are not ours.
Result<void> Token::find_slot_again() {
  auto slot = module_.find_token(info_.label);
  if (!slot || slot->token.serial != info_.serial) {
    return fail({ErrorCode::unavailable, "HSM: the token is away"});
  }
  if (slot->token.pin_final_try) return fail(kFinalTryLater);
  slot_ = slot->id;
  return {};
}

Error Token::failed(unsigned long rv) noexcept {
  if (session_is_lost(rv) && !object_is_stale(rv)) drop_login();
  return error_of(rv);
}

Result<void> Token::check() {
  const std::scoped_lock lock(mutex_);
  SR_CHECK_OK(ensure_login());
  CK_TOKEN_INFO info{};
  const CK_RV rv = module_.functions().C_GetTokenInfo(slot_, &info);
  if (rv != CKR_OK) return fail(failed(rv));
  return {};
}

Result<bool> Token::supports(std::uint64_t mechanism) {
  const std::scoped_lock lock(mutex_);
  CK_MECHANISM_INFO info{};
  const CK_RV rv = module_.functions().C_GetMechanismInfo(slot_, mechanism, &info);
  if (rv == CKR_MECHANISM_INVALID) return false;
  if (rv != CKR_OK) return fail(error_of(rv));
  return true;
}

Result<unsigned long> Token::open_session() {
  const std::scoped_lock lock(mutex_);
  SR_CHECK_OK(ensure_login());
  CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
  const CK_RV rv =
      module_.functions().C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &handle);
  if (rv != CKR_OK) return fail(failed(rv));
  return handle;
}

}  // namespace strongroom::pkcs11

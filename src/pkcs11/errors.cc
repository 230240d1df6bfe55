#include "pkcs11/errors.h"

#include "pkcs11/cryptoki.h"

namespace strongroom::pkcs11 {
namespace {

Error meaning_of(unsigned long rv) noexcept {
  switch (rv) {
    case CKR_PIN_LOCKED:
      return {ErrorCode::permission_denied, "HSM: the PIN is locked"};
    case CKR_PIN_EXPIRED:
      return {ErrorCode::permission_denied, "HSM: the PIN has expired"};
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_INVALID:
    case CKR_PIN_TOO_WEAK:
      return {ErrorCode::permission_denied, "HSM: the PIN's length or characters are refused"};
    case CKR_PIN_INCORRECT:
      return {ErrorCode::permission_denied, "HSM: the PIN is wrong"};
    case CKR_USER_PIN_NOT_INITIALIZED:
      return {ErrorCode::permission_denied, "HSM: the user PIN is not set"};

    case CKR_ACTION_PROHIBITED:
    case CKR_ATTRIBUTE_READ_ONLY:
    case CKR_ATTRIBUTE_SENSITIVE:
    case CKR_FUNCTION_REJECTED:
    case CKR_INFORMATION_SENSITIVE:
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_UNEXTRACTABLE:
    case CKR_TOKEN_WRITE_PROTECTED:
      return {ErrorCode::permission_denied, "HSM: the token or the key does not permit this"};

    case CKR_ARGUMENTS_BAD:
    case CKR_ATTRIBUTE_TYPE_INVALID:
    case CKR_ATTRIBUTE_VALUE_INVALID:
    case CKR_DATA_INVALID:
    case CKR_DATA_LEN_RANGE:
    case CKR_TEMPLATE_INCOMPLETE:
    case CKR_TEMPLATE_INCONSISTENT:
      return {ErrorCode::invalid_argument, "HSM: the module refuses the arguments"};
    case CKR_KEY_SIZE_RANGE:
    case CKR_KEY_TYPE_INCONSISTENT:
      return {ErrorCode::invalid_argument, "HSM: the key is of another type"};
    case CKR_FUNCTION_NOT_SUPPORTED:
    case CKR_MECHANISM_INVALID:
    case CKR_MECHANISM_PARAM_INVALID:
      return {ErrorCode::invalid_argument, "HSM: the module lacks this mechanism"};

    case CKR_HOST_MEMORY:
    case CKR_SESSION_COUNT:
      return {ErrorCode::exhausted, "HSM: no more sessions or memory"};
    case CKR_CRYPTOKI_ALREADY_INITIALIZED:
      return {ErrorCode::conflict, "HSM: the module is in use in this process"};
    case CKR_USER_ALREADY_LOGGED_IN:
    case CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
      return {ErrorCode::conflict, "HSM: this process is logged in already"};

    default:
      return session_is_lost(rv) ? Error{ErrorCode::unavailable, "HSM: the session was lost"}
                                 : Error{ErrorCode::unavailable, "HSM: the call failed"};
  }
}

}  // namespace

Error error_of(unsigned long rv) noexcept {
  return meaning_of(rv).with_detail(static_cast<std::uint32_t>(rv));
}

bool object_is_stale(unsigned long rv) noexcept {
  return rv == CKR_KEY_HANDLE_INVALID || rv == CKR_OBJECT_HANDLE_INVALID;
}

bool session_is_lost(unsigned long rv) noexcept {
  switch (rv) {
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_MEMORY:
    case CKR_DEVICE_REMOVED:
    case CKR_OPERATION_ACTIVE:  // an operation that never ended: a new session has none
    case CKR_OPERATION_NOT_INITIALIZED:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_USER_NOT_LOGGED_IN:
      return true;
    default:
      return object_is_stale(rv);
  }
}

}  // namespace strongroom::pkcs11

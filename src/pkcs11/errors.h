// Private to src/pkcs11: what a CK_RV means to callers (OASIS PKCS#11 2.40 section 5.1).
#pragma once

#include "base/result.h"

namespace strongroom::pkcs11 {

// The Error for `rv`, which is not CKR_OK; its detail is `rv`.
[[nodiscard]] Error error_of(unsigned long rv) noexcept;

// `rv` says that the session, the login or the device is gone: only a new session can help.
[[nodiscard]] bool session_is_lost(unsigned long rv) noexcept;

// `rv` says that the object handle names nothing (any more).
[[nodiscard]] bool object_is_stale(unsigned long rv) noexcept;

}  // namespace strongroom::pkcs11

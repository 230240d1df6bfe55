#include "pkcs11/errors.h"

#include <gtest/gtest.h>

#include "pkcs11/cryptoki.h"

namespace strongroom::pkcs11 {
namespace {

struct Row {
  unsigned long rv;
  ErrorCode code;
  bool session_is_lost;
};

// Written down as clients rely on it: which failures a caller may try again, and which end a
// session.
constexpr Row kRows[] = {
    {CKR_PIN_INCORRECT, ErrorCode::permission_denied, false},
    {CKR_PIN_LOCKED, ErrorCode::permission_denied, false},
    {CKR_PIN_EXPIRED, ErrorCode::permission_denied, false},
    {CKR_PIN_LEN_RANGE, ErrorCode::permission_denied, false},
    {CKR_USER_PIN_NOT_INITIALIZED, ErrorCode::permission_denied, false},
    {CKR_ATTRIBUTE_SENSITIVE, ErrorCode::permission_denied, false},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, ErrorCode::permission_denied, false},
    {CKR_ARGUMENTS_BAD, ErrorCode::invalid_argument, false},
    {CKR_TEMPLATE_INCONSISTENT, ErrorCode::invalid_argument, false},
    {CKR_KEY_TYPE_INCONSISTENT, ErrorCode::invalid_argument, false},
    {CKR_MECHANISM_INVALID, ErrorCode::invalid_argument, false},
    {CKR_SESSION_COUNT, ErrorCode::exhausted, false},
    {CKR_HOST_MEMORY, ErrorCode::exhausted, false},
    {CKR_CRYPTOKI_ALREADY_INITIALIZED, ErrorCode::conflict, false},
    {CKR_USER_ALREADY_LOGGED_IN, ErrorCode::conflict, false},
    {CKR_GENERAL_ERROR, ErrorCode::unavailable, false},
    {CKR_FUNCTION_FAILED, ErrorCode::unavailable, false},
    {CKR_VENDOR_DEFINED | 7UL, ErrorCode::unavailable, false},
    {CKR_DEVICE_ERROR, ErrorCode::unavailable, true},
    {CKR_DEVICE_MEMORY, ErrorCode::unavailable, true},
    {CKR_DEVICE_REMOVED, ErrorCode::unavailable, true},
    {CKR_TOKEN_NOT_PRESENT, ErrorCode::unavailable, true},
    {CKR_SESSION_HANDLE_INVALID, ErrorCode::unavailable, true},
    {CKR_SESSION_CLOSED, ErrorCode::unavailable, true},
    {CKR_USER_NOT_LOGGED_IN, ErrorCode::unavailable, true},
    {CKR_OPERATION_ACTIVE, ErrorCode::unavailable, true},
    {CKR_KEY_HANDLE_INVALID, ErrorCode::unavailable, true},
    {CKR_OBJECT_HANDLE_INVALID, ErrorCode::unavailable, true},
};

TEST(ErrorsTest, MapEveryReturnValueToWhatACallerCanDo) {
  for (const Row& row : kRows) {
    const Error error = error_of(row.rv);
    EXPECT_EQ(error.code(), row.code) << std::hex << row.rv;
    EXPECT_EQ(error.detail(), row.rv) << std::hex << row.rv;
    EXPECT_EQ(session_is_lost(row.rv), row.session_is_lost) << std::hex << row.rv;
  }
}

TEST(ErrorsTest, TellALockedPinFromAWrongOne) {
  EXPECT_NE(error_of(CKR_PIN_LOCKED).what(), error_of(CKR_PIN_INCORRECT).what());
}

TEST(ErrorsTest, CallOnlyObjectHandlesStale) {
  EXPECT_TRUE(object_is_stale(CKR_KEY_HANDLE_INVALID));
  EXPECT_TRUE(object_is_stale(CKR_OBJECT_HANDLE_INVALID));
  EXPECT_FALSE(object_is_stale(CKR_SESSION_HANDLE_INVALID));
}

}  // namespace
}  // namespace strongroom::pkcs11

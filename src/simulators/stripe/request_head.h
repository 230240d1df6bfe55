// What a request's fields say before its parameters are looked at: whose key, which version.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"
#include "simulators/stripe/api_error.h"

namespace strongroom::simulators::stripe {

inline constexpr std::string_view kDefaultVersion = "2026-07-29.dahlia";

// The account of `Authorization: Bearer sk_test_...`, or of Basic with the key as user name and no
// password: "acct_" and a hash of the key. 401.
[[nodiscard]] std::expected<std::string, ApiError> account_of(std::string_view authorization);
// `Stripe-Version`, or the default when it is absent.
[[nodiscard]] std::string_view version_of(const http::Request& request) noexcept;
// 400: a version that is none, an idempotency key beyond its length, or a body that is no form.
[[nodiscard]] std::optional<ApiError> check_head(const http::Request& request);

}  // namespace strongroom::simulators::stripe

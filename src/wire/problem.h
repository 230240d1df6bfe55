// Problem: what an HTTP client is told when a request fails (RFC 9457). Like Error it holds
// literals only, so nothing that a client sent can come back in one, and with it no card data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::wire {

// ProblemType is the kind of a problem; its text form is `urn:strongroom:problem:<slug>`.
enum class ProblemType : std::uint8_t {
  malformed_request,
  malformed_json,
  duplicate_key,
  idempotency_key_missing,
  api_key_invalid,
  not_allowed,
  not_found,
  method_not_allowed,
  request_timeout,
  payment_state,
  idempotency_in_progress,
  conflict,
  not_witnessed,
  token_deleted,
  token_expired,
  token_used_up,
  entry_archived,
  length_required,
  too_large,
  unsupported_media_type,
  expectation_failed,
  unknown_field,
  wrong_type,
  missing_field,
  invalid_value,
  card_number_length,
  card_number_check_digit,
  card_expired,
  looks_like_card_data,
  idempotency_mismatch,
  rate_limited,
  headers_too_large,
  internal,
  method_unknown,
  hsm_unavailable,
  audit_unavailable,
  database_unavailable,
  disk_unavailable,
  service_unavailable,
  sealed,
  overloaded,
  outcome_unknown,
};

// ProblemKind is a row of the one table of problem types; api/ lists the same rows.
struct ProblemKind {
  ProblemType type;
  std::string_view slug;
  int status;
  std::string_view title;
};
[[nodiscard]] const ProblemKind& kind_of(ProblemType type) noexcept;
// The type with this slug, for clients that read a neighbor's problem; empty when there is none.
[[nodiscard]] std::optional<ProblemType> problem_type_of(std::string_view slug) noexcept;

// Literal is text that stands in the program: a runtime string does not compile.
class Literal {
 public:
  constexpr Literal() noexcept = default;
  template <std::size_t N>  // NOLINTNEXTLINE(google-explicit-constructor): a literal is one
  consteval Literal(const char (&text)[N]) : text_(text, N - 1) {}
  // An Error's text is a literal by construction.
  explicit constexpr Literal(const Error& error) noexcept : text_(error.what()) {}
  constexpr std::string_view text() const noexcept { return text_; }
  constexpr bool empty() const noexcept { return text_.empty(); }

 private:
  std::string_view text_;
};

// Problem is one failure. `pointer` is a JSON Pointer as a URI fragment ("#/card/number"), empty
// when no single member is at fault.
struct Problem {
  ProblemType type;
  Literal detail{};
  Literal pointer{};
  std::optional<unsigned> retry_after_s{};

  [[nodiscard]] int status() const noexcept { return kind_of(type).status; }
};

// The application/problem+json document: type, title, status, detail, request_id, and
// `errors: [{pointer, detail}]` when there is a pointer.
[[nodiscard]] std::string to_json(const Problem& problem, std::string_view request_id);

// The problem that an error is by default. The error's text goes along only for what the caller can
// mend; that of an inner failure stays inside.
[[nodiscard]] Problem problem_of(const Error& error) noexcept;

}  // namespace strongroom::wire

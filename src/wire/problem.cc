// The table of problem types, and RFC 9457 documents from it.
#include "wire/problem.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/try.h"

namespace strongroom::wire {
namespace {

using enum ProblemType;

// In the order of the enum, so that a type is its own index.
constexpr auto kKinds = std::to_array<ProblemKind>({
    {malformed_request, "malformed-request", 400, "The request is not well-formed HTTP."},
    {malformed_json, "malformed-json", 400, "The body is not valid JSON."},
    {duplicate_key, "duplicate-key", 400, "An object in the body has the same key twice."},
    {idempotency_key_missing, "idempotency-key-missing", 400, "Idempotency-Key is missing."},
    {api_key_invalid, "api-key-invalid", 401, "The API key is missing or not valid."},
    {not_allowed, "not-allowed", 403, "This caller may not do this."},
    {not_found, "not-found", 404, "There is no such thing."},
    {method_not_allowed, "method-not-allowed", 405, "The resource does not have this method."},
    {request_timeout, "request-timeout", 408, "The request took too long to arrive."},
    {payment_state, "payment-state", 409, "The payment is not in a state that allows this."},
    {idempotency_in_progress, "idempotency-in-progress", 409,
     "A request with this Idempotency-Key is still under way."},
    {conflict, "conflict", 409, "The object is in another state than the request needs."},
    {not_witnessed, "not-witnessed", 409, "No witness stands for the audit entry yet."},
    {token_deleted, "token-deleted", 410, "The token was deleted."},
    {token_expired, "token-expired", 410, "The token has expired."},
    {token_used_up, "token-used-up", 410, "The token has been used as often as it may."},
    {entry_archived, "entry-archived", 410, "The audit entry is in an archive."},
    {length_required, "length-required", 411, "The request needs a Content-Length."},
    {too_large, "too-large", 413, "The body is too large."},
    {unsupported_media_type, "unsupported-media-type", 415, "The body's media type is not taken."},
    {expectation_failed, "expectation-failed", 417, "The Expect field asks for something unknown."},
    {unknown_field, "unknown-field", 422, "The body has a field that is not known here."},
    {wrong_type, "wrong-type", 422, "A field has the wrong JSON type."},
    {missing_field, "missing-field", 422, "A required field is missing."},
    {invalid_value, "invalid-value", 422, "A field's value is not allowed."},
    {card_number_length, "card-number-length", 422, "The card number's length is wrong."},
    {card_number_check_digit, "card-number-check-digit", 422,
     "The card number's check digit is wrong."},
    {card_expired, "card-expired", 422, "The card has expired."},
    {looks_like_card_data, "looks-like-card-data", 422,
     "A field that must not hold card data looks as if it did."},
    {idempotency_mismatch, "idempotency-mismatch", 422,
     "This Idempotency-Key was used with another request."},
    {rate_limited, "rate-limited", 429, "Too many requests."},
    {headers_too_large, "headers-too-large", 431, "The request's head is too large."},
    {internal, "internal", 500, "The service failed."},
    {method_unknown, "method-unknown", 501, "The method is not known."},
    {hsm_unavailable, "hsm-unavailable", 503, "The HSM does not answer."},
    {audit_unavailable, "audit-unavailable", 503, "The audit log cannot be written."},
    {database_unavailable, "database-unavailable", 503, "The database does not answer."},
    {disk_unavailable, "disk-unavailable", 503, "The disk cannot be written."},
    {service_unavailable, "service-unavailable", 503, "A service behind this one does not answer."},
    {sealed, "sealed", 503, "The keys are not loaded."},
    {overloaded, "overloaded", 503, "The service has more work than it can take."},
    {outcome_unknown, "outcome-unknown", 504,
     "No answer came in time; the request may have taken effect."},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (static_cast<std::size_t>(kKinds[i].type) != i) return false;
  }
  return kKinds.size() == static_cast<std::size_t>(outcome_unknown) + 1;
}
static_assert(in_order());

// What an ErrorCode is to a client when the handler knows no better.
ProblemType type_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return invalid_value;
    case ErrorCode::not_found:
      return not_found;
    case ErrorCode::permission_denied:
      return not_allowed;
    case ErrorCode::conflict:
      return conflict;
    case ErrorCode::gone:
      return token_deleted;
    case ErrorCode::exhausted:
      return overloaded;
    case ErrorCode::rate_limited:
      return rate_limited;
    case ErrorCode::too_large:
      return too_large;
    case ErrorCode::sealed:
      return sealed;
    case ErrorCode::unavailable:
      return service_unavailable;
    case ErrorCode::unknown_outcome:
      return outcome_unknown;
    case ErrorCode::corrupt:
      return internal;
  }
  SR_CHECK(false);
}

bool is_the_callers(ErrorCode code) noexcept {
  return code == ErrorCode::invalid_argument || code == ErrorCode::conflict ||
         code == ErrorCode::gone || code == ErrorCode::too_large;
}

// Appends `text` as a JSON string. Problems hold our literals, but a literal may have a quote in
// it.
void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out.append(name);
  append_string(out, text);
}

}  // namespace

const ProblemKind& kind_of(ProblemType type) noexcept {
  const auto index = static_cast<std::size_t>(type);
  SR_CHECK(index < kKinds.size());
  return kKinds[index];
}

std::optional<ProblemType> problem_type_of(std::string_view slug) noexcept {
  const auto* found = std::ranges::find(kKinds, slug, &ProblemKind::slug);
  if (found == kKinds.end()) return std::nullopt;
  return found->type;
}

std::string to_json(const Problem& problem, std::string_view request_id) {
  const ProblemKind& kind = kind_of(problem.type);
  std::string out;
  out.reserve(320);
  out.append("{\"type\":\"urn:strongroom:problem:").append(kind.slug).append("\"");
  append_member(out, ",\"title\":", kind.title);
  fmt::format_to(std::back_inserter(out), ",\"status\":{}", kind.status);
  if (!problem.detail.empty()) append_member(out, ",\"detail\":", problem.detail.text());
  if (!request_id.empty()) append_member(out, ",\"request_id\":", request_id);
  if (!problem.pointer.empty()) {
    append_member(out, ",\"errors\":[{\"pointer\":", problem.pointer.text());
    append_member(out, ",\"detail\":", problem.detail.empty() ? kind.title : problem.detail.text());
    out.append("}]");
  }
  out.push_back('}');
  return out;
}

Problem problem_of(const Error& error) noexcept {
  Problem problem{.type = type_of(error.code())};
  if (is_the_callers(error.code())) problem.detail = Literal(error);
  return problem;
}

}  // namespace strongroom::wire

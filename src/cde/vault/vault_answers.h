// What the vault answers when a neighbor fails, and how a row becomes a view: shared by vault*.cc
// only.
#pragma once

#include <cstdint>
#include <expected>

#include "base/result.h"
#include "cde/vault/answer.h"
#include "cde/vault/vault.h"
#include "wire/problem.h"

namespace strongroom::cde {

inline std::unexpected<wire::Problem> refuse(wire::Problem problem) {
  return std::unexpected(problem);
}

inline constexpr unsigned kRetryAfterS = 1;
inline constexpr wire::Problem kNoSuchToken{wire::ProblemType::not_found, "no such token"};
inline constexpr wire::Problem kTokenDeleted{wire::ProblemType::token_deleted,
                                             "the card was deleted"};
inline constexpr wire::Problem kTokenExpired{wire::ProblemType::token_expired,
                                             "the token's time is over"};
inline constexpr wire::Problem kOverloaded{
    wire::ProblemType::overloaded, "try again", {}, kRetryAfterS};
inline constexpr wire::Problem kAuditUnavailable{wire::ProblemType::audit_unavailable,
                                                 "nothing is done that cannot be logged",
                                                 {},
                                                 kRetryAfterS};

// The neighbor is absent: its own type. It is overloaded: that. Anything else (a blob that does not
// open) is our trouble, logged, and `internal` to the client.
[[nodiscard]] wire::Problem problem_of_hsm(const Error& error);
[[nodiscard]] wire::Problem problem_of_database(const Error& error);
// Nothing was recorded: the log is absent, or the entry waited too long for its turn.
[[nodiscard]] inline wire::Problem problem_of_log(const Error& error) noexcept {
  return error.code() == ErrorCode::exhausted ? kOverloaded : kAuditUnavailable;
}

[[nodiscard]] inline wire::Problem problem_of(const Tombstone& tombstone) noexcept {
  return tombstone.ending == Ending::expired ? kTokenExpired : kTokenDeleted;
}

[[nodiscard]] inline bool has_expired(const CardRow& row, std::int64_t now_us) noexcept {
  return row.expires_at_us && *row.expires_at_us <= now_us;
}

[[nodiscard]] TokenView view_of(const CardRow& row, PublicToken token, const Card& card,
                                const CardDetails& details, Duplicate duplicate);

}  // namespace strongroom::cde

// Problems and views.
#include "cde/vault/vault_answers.h"

#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "storage/database.h"

namespace strongroom::cde {
namespace {

using wire::Problem;
using wire::ProblemType;

Problem problem_of_neighbor(const Error& error, ProblemType absent) {
  switch (error.code()) {
    case ErrorCode::unavailable:
    case ErrorCode::unknown_outcome:
      return {absent, "try again", {}, kRetryAfterS};
    case ErrorCode::exhausted:
    case ErrorCode::conflict:  // somebody else changed the card this moment
      return kOverloaded;
    case ErrorCode::sealed:
      return {ProblemType::sealed, "no new cards are taken now", {}, kRetryAfterS};
    default:
      log::error("vault step failed", {{"error", error}});
      return {ProblemType::internal, "the vault could not do this"};
  }
}

}  // namespace

Problem problem_of_hsm(const Error& error) {
  if (error.code() == ErrorCode::gone) {  // it may be brought back, so the card is not said to be
    log::error("vault step failed", {{"error", error}});
    return {ProblemType::hsm_unavailable, "the card's key is not in the HSM", {}, kRetryAfterS};
  }
  return problem_of_neighbor(error, ProblemType::hsm_unavailable);
}
Problem problem_of_database(const Error& error) {
  return problem_of_neighbor(error, storage::is_disk_full(error)
                                        ? ProblemType::disk_unavailable
                                        : ProblemType::database_unavailable);
}

TokenView view_of(const CardRow& row, PublicToken token, const Card& card,
                  const CardDetails& details, Duplicate duplicate) {
  return TokenView{.token = std::move(token),
                   .brand = card.pan.brand(),
                   .bin = card.pan.bin(),
                   .last4 = card.pan.last4(),
                   .expiry = card.expiry,
                   .created_at_us = row.created_at_us,
                   .expires_at_us = row.expires_at_us,
                   .usage_count = row.usage_count,
                   .usage_limit = row.usage_limit,
                   .duplicate = duplicate,
                   .metadata = std::string(as_text(details.metadata.reveal()))};
}

}  // namespace strongroom::cde

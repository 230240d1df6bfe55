// Accounts, audited.
#include "connected/gateway/account_desk.h"

#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::connected::gateway {
namespace {

using wire::ProblemType;

constexpr unsigned kRetryAfterS = 1;
constexpr std::chrono::milliseconds kWaitStep{50};

std::unexpected<wire::Problem> refuse(ProblemType type) {
  wire::Problem problem{.type = type};
  if (problem.status() == 503) problem.retry_after_s = kRetryAfterS;
  return std::unexpected(problem);
}

}  // namespace

async::Task<Answer<Account>> AccountDesk::add(Account account, std::string user,
                                              std::string request_id) {
  account.created_at_us = parts_.clock.now_us();
  audit::Entry intent;
  intent.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.event_type = audit::EventType::connector_account_create;
  intent.phase = audit::Phase::intent;
  intent.time_us = account.created_at_us;
  intent.user = std::move(user);
  intent.request_id = std::move(request_id);
  intent.merchant_id = account.merchant;
  intent.connector_id = account.connector;
  intent.resources.push_back(account.id);
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(ProblemType::audit_unavailable);
  const Result<void> stored = co_await parts_.accounts.put(account);
  if (stored) {
    close_intent(intent, audit::Outcome::done);
    co_return account;
  }
  // Left open when nobody knows: the next start asks the database.
  if (stored.error().code() == ErrorCode::unknown_outcome) {
    co_return refuse(ProblemType::outcome_unknown);
  }
  close_intent(intent, audit::Outcome::not_done);
  if (stored.error().code() == ErrorCode::conflict) co_return refuse(ProblemType::conflict);
  if (storage::is_disk_full(stored.error())) co_return refuse(ProblemType::disk_unavailable);
  log::error("database refused", {{"error", stored.error()}});
  co_return refuse(ProblemType::database_unavailable);
}

async::Task<Result<bool>> AccountDesk::happened(const audit::Entry& intent) {
  if (intent.resources.size() != 1) co_return false;
  const auto found = co_await parts_.accounts.find(intent.merchant_id, intent.resources.front());
  if (!found) co_return fail(found.error());
  co_return found->has_value();
}

void AccountDesk::close_intent(const audit::Entry& intent, audit::Outcome outcome) {
  parts_.recorder.send(audit::outcome_of(
      intent, outcome, crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us()));
}

async::Task<Result<void>> AccountDesk::wait_for_late_commits() {
  while (std::chrono::steady_clock::now() < made_ + parts_.commit_lag_max) {
    if (stopping_) co_return fail({ErrorCode::unavailable, "stopped while it waited"});
    co_await parts_.loop.sleep_for(kWaitStep);
  }
  co_return Result<void>{};
}

async::Task<Result<void>> AccountDesk::recover() {
  const auto open = co_await parts_.recorder.open_intents();
  if (!open) co_return fail(open.error());
  for (const audit::Entry& intent : *open) {
    Result<bool> done = co_await happened(intent);
    if (done && !*done) {
      SR_CO_CHECK_OK(co_await wait_for_late_commits());
      done = co_await happened(intent);
    }
    if (!done) co_return fail(done.error());
    close_intent(intent, *done ? audit::Outcome::done : audit::Outcome::not_done);
  }
  if (!open->empty()) log::info("open intents closed", {{"count", open->size()}});
  co_return Result<void>{};
}

}  // namespace strongroom::connected::gateway

// Acts on the directory, audited.
#include "connected/auth/authority.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "storage/database.h"

namespace strongroom::connected::auth {
namespace {

using audit::EventType;
using wire::Problem;
using wire::ProblemType;

constexpr std::chrono::seconds kSettleStepMin{1};
constexpr std::chrono::milliseconds kWaitStep{50};

std::unexpected<Problem> refuse(ProblemType type) { return std::unexpected(Problem{.type = type}); }
std::unexpected<Problem> refuse_unknown_key() {
  return std::unexpected(Problem{.type = ProblemType::not_found, .detail = "no such key"});
}

// The database's errors as the client should see them; the intent is closed by the caller.
ProblemType problem_type(const Error& error) {
  if (storage::is_disk_full(error)) return ProblemType::disk_unavailable;
  return error.code() == ErrorCode::unknown_outcome ? ProblemType::outcome_unknown
                                                    : ProblemType::database_unavailable;
}

}  // namespace

audit::Entry Authority::intent(EventType type, const Actor& actor, std::string merchant,
                               std::string object) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  entry.event_type = type;
  entry.phase = audit::Phase::intent;
  entry.time_us = parts_.clock.now_us();
  entry.user = actor.user;
  entry.source_ip = actor.source_ip;
  entry.request_id = actor.request_id;
  entry.merchant_id = std::move(merchant);
  entry.resources.push_back(std::move(object));
  return entry;
}

async::Task<Answer<void>> Authority::act(audit::Entry intent, async::Task<Result<void>> effect) {
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(ProblemType::audit_unavailable);
  const Result<void> result = co_await std::move(effect);
  if (result || result.error().code() != ErrorCode::unknown_outcome) {
    close_intent(intent, result.has_value());
    if (result) co_return Answer<void>{};
    log::error("database refused", {{"error", result.error()}});
    co_return refuse(problem_type(result.error()));
  }
  const Result<bool> done = co_await happened(intent);
  const bool final = done && (*done || parts_.commit_lag_max.count() == 0);
  if (!final) {
    async::spawn(settle(std::move(intent)));
    co_return refuse(ProblemType::outcome_unknown);
  }
  close_intent(intent, *done);
  if (*done) co_return Answer<void>{};
  co_return refuse(ProblemType::database_unavailable);
}

async::Task<void> Authority::settle(audit::Entry intent) {
  const auto interval = std::max<std::chrono::nanoseconds>(parts_.commit_lag_max, kSettleStepMin);
  for (;;) {
    co_await parts_.loop.sleep_for(interval);
    if (stopping_) co_return;
    const Result<bool> done = co_await happened(intent);
    if (done) {
      close_intent(intent, *done);
      co_return;
    }
  }
}

void Authority::close_intent(const audit::Entry& intent, bool done) {
  const audit::Entry outcome =
      audit::outcome_of(intent, done ? audit::Outcome::done : audit::Outcome::not_done,
                        crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us());
  parts_.recorder.send(outcome);
}

async::Task<Answer<Merchant>> Authority::create_merchant(Actor actor, std::string name) {
  Merchant merchant{.id = make_public_id(kMerchantPrefix, parts_.random),
                    .name = std::move(name),
                    .created_at_us = parts_.clock.now_us()};
  audit::Entry entry = intent(EventType::merchant_create, actor, merchant.id, merchant.id);
  const Answer<void> done = co_await act(std::move(entry), parts_.directory.add_merchant(merchant));
  if (!done) co_return std::unexpected(done.error());
  co_return merchant;
}

async::Task<Answer<CreatedKey>> Authority::create_key(Actor actor, KeyRequest request) {
  const auto merchant = co_await parts_.directory.merchant(request.merchant);
  if (!merchant) co_return refuse(problem_type(merchant.error()));
  if (!merchant->has_value() || !(*merchant)->active) {
    co_return std::unexpected(Problem{
        .type = ProblemType::not_found, .detail = "no such merchant", .pointer = "#/merchant"});
  }
  auto made = make_key_text(parts_.random, parts_.profile);
  if (!made) co_return refuse(ProblemType::overloaded);
  ApiKey key{.id = make_public_id(kKeyIdPrefix, parts_.random),
             .merchant = std::move(request.merchant),
             .prefix = made->prefix,
             .role = request.role,
             .name = std::move(request.name),
             .created_at_us = parts_.clock.now_us(),
             .created_by = actor.user};
  audit::Entry entry = intent(EventType::api_key_create, actor, key.merchant, key.id);
  const Answer<void> done =
      co_await act(std::move(entry), parts_.directory.add_key(key, made->hash));
  if (!done) co_return std::unexpected(done.error());
  co_return CreatedKey{.key = std::move(key), .text = std::move(made->text)};
}

async::Task<Answer<ApiKey>> Authority::revoke_key(Actor actor, std::string id,
                                                  std::optional<std::string> merchant) {
  const auto found = co_await parts_.directory.key(id);
  if (!found) co_return refuse(problem_type(found.error()));
  if (!found->has_value()) co_return refuse_unknown_key();
  ApiKey key = **found;
  if (merchant && key.merchant != *merchant) co_return refuse_unknown_key();
  if (key.revoked_at_us) co_return key;
  key.revoked_at_us = parts_.clock.now_us();
  audit::Entry entry = intent(EventType::api_key_revoke, actor, key.merchant, key.id);
  const Answer<void> done =
      co_await act(std::move(entry), parts_.directory.revoke_key(key.id, *key.revoked_at_us));
  if (!done) co_return std::unexpected(done.error());
  co_return key;
}

async::Task<Result<bool>> Authority::happened(const audit::Entry& intent) {
  if (intent.resources.size() != 1) co_return false;
  const std::string& object = intent.resources.front();
  if (intent.event_type == EventType::merchant_create) {
    const auto merchant = co_await parts_.directory.merchant(object);
    if (!merchant) co_return fail(merchant.error());
    co_return merchant->has_value();
  }
  const auto key = co_await parts_.directory.key(object);
  if (!key) co_return fail(key.error());
  if (intent.event_type == EventType::api_key_create) co_return key->has_value();
  co_return key->has_value() && (*key)->revoked_at_us.has_value();
}

async::Task<Result<void>> Authority::wait_for_late_commits() {
  while (std::chrono::steady_clock::now() < made_ + parts_.commit_lag_max) {
    if (stopping_) co_return fail({ErrorCode::unavailable, "stopped before recovery was over"});
    co_await parts_.loop.sleep_for(kWaitStep);
  }
  co_return Result<void>{};
}

async::Task<Result<void>> Authority::recover() {
  const auto open = co_await parts_.recorder.open_intents();
  if (!open) co_return fail(open.error());
  for (const audit::Entry& entry : *open) {
    Result<bool> done = co_await happened(entry);
    if (done && !*done) {
      // The database does not notice at once that the process which asked it was killed.
      SR_CO_CHECK_OK(co_await wait_for_late_commits());
      done = co_await happened(entry);
    }
    if (!done) co_return fail(done.error());
    close_intent(entry, *done);
  }
  if (!open->empty()) log::info("open intents closed", {{"count", open->size()}});
  co_return Result<void>{};
}

}  // namespace strongroom::connected::auth

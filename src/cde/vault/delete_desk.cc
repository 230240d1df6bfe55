// A thousand at a time, so that no statement takes long; a decision that is cut off has taken some,
// and the list shows the rest.
#include "cde/vault/delete_desk.h"

#include <utility>

#include "base/try.h"
#include "cde/vault/card_sealer.h"
#include "cde/vault/vault_answers.h"

namespace strongroom::cde {
namespace {

constexpr wire::Problem kNoneHeld{wire::ProblemType::not_found, "no such delete is held"};

}  // namespace

async::Task<Answer<std::vector<DeleteDesk::Held>>> DeleteDesk::list(HeldDeletes::GroupMark after,
                                                                    std::size_t count_max) {
  auto groups = co_await parts_.held_deletes.groups(after, static_cast<std::int64_t>(count_max));
  if (!groups) co_return refuse(problem_of_database(groups.error()));
  std::vector<Held> all;
  for (HeldDeletes::Group& group : *groups) all.push_back(co_await name(std::move(group)));
  co_return all;
}

async::Task<DeleteDesk::Held> DeleteDesk::name(HeldDeletes::Group group) {
  Held held{{}, {}, std::move(group)};
  Result<SecretBytes> dek =
      co_await parts_.keys.unwrap(held.group.wrapped_dek, held.group.token_id);
  if (!dek) co_return held;
  const auto sealer = CardSealer::create(*std::move(dek), held.group.token_id, {});
  if (!sealer) co_return held;
  held.merchant = sealer->open_merchant(held.group.merchant_sealed).value_or("");
  held.key = sealer->open_subject(held.group.subject).value_or("");
  co_return held;
}

async::Task<Answer<std::uint64_t>> DeleteDesk::decide(Decision decision, Chosen chosen,
                                                      std::string user) {
  HeldDeletes::Chosen which{.merchant = {}, .key = {}, .until_us = parts_.clock.now_us()};
  const Result<BlindIndex> merchant = co_await parts_.keys.blind_index(chosen.merchant);
  if (!merchant) co_return refuse(problem_of_hsm(merchant.error()));
  which.merchant = *merchant;
  if (!chosen.key.empty()) {
    const Result<BlindIndex> key = co_await parts_.keys.blind_index(chosen.key);
    if (!key) co_return refuse(problem_of_hsm(key.error()));
    which.key = *key;
  }
  const Result<bool> any = co_await parts_.held_deletes.has(which);
  if (!any) co_return refuse(problem_of_database(any.error()));
  if (!*any) co_return refuse(kNoneHeld);

  audit::Entry intent;
  intent.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.event_type = decision == Decision::release ? audit::EventType::delete_release
                                                    : audit::EventType::delete_refuse;
  intent.phase = audit::Phase::intent;
  intent.time_us = parts_.clock.now_us();
  intent.user = user;
  intent.merchant_id = chosen.merchant;
  intent.resources = {chosen.key.empty() ? chosen.merchant : chosen.key};
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  const Result<std::uint64_t> count = co_await decide_all(decision, which, std::move(user));
  audit::Entry outcome =
      audit::outcome_of(intent, count ? audit::Outcome::done : audit::Outcome::unknown,
                        crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us());
  if (count) outcome.count = *count;
  parts_.recorder.send(outcome);
  if (!count) co_return refuse(problem_of_database(count.error()));
  co_return *count;
}

async::Task<Result<std::uint64_t>> DeleteDesk::decide_all(Decision decision,
                                                          HeldDeletes::Chosen chosen,
                                                          std::string user) {
  std::uint64_t count = 0;
  for (;;) {
    Result<std::size_t> decided{0};
    if (decision == Decision::release) {
      decided = co_await parts_.held_deletes.release(chosen, user, parts_.clock.now_us());
    } else {
      decided = co_await parts_.held_deletes.refuse(chosen);
    }
    if (!decided) co_return fail(decided.error());
    count += *decided;
    if (*decided < HeldDeletes::kDecidedAtOnce) co_return count;
  }
}

}  // namespace strongroom::cde

// Page by page, as PurgeJob: a card that cannot be erased is passed by until the next run.
#include "cde/vault/release_job.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

namespace strongroom::cde {

async::Task<void> ReleaseJob::run() {
  while (!stopping_) {
    busy_ = true;
    static_cast<void>(co_await run_once());
    busy_ = false;
    co_await parts_.loop.sleep_for(kStep);
  }
}

async::Task<std::size_t> ReleaseJob::run_once() {
  std::size_t erased = 0, failed = 0;
  TokenId mark{};
  while (!stopping_) {
    auto released = co_await parts_.held_deletes.released(mark, kBatch);
    if (!released || released->empty()) break;
    mark = released->back().card.token_id;
    std::vector<Vault::Doomed> doomed;
    doomed.reserve(released->size());
    for (HeldDeletes::Released& one : *released) {
      doomed.push_back({std::move(one.card), std::move(one.by)});
    }
    const std::vector<Vault::Fate> fates = co_await parts_.vault.erase_all(
        std::move(doomed), Ending::deleted, std::string(kReleaseOperation));
    erased += static_cast<std::size_t>(std::ranges::count(fates, Vault::Fate::erased));
    const auto stayed = static_cast<std::size_t>(std::ranges::count(fates, Vault::Fate::failed));
    failed += stayed;
    if (stayed == fates.size()) break;  // what it takes is not there
  }
  if (failed > 0) {
    log::warn("released deletes could not be carried out yet",
              {{"count", static_cast<std::int64_t>(failed)}});
  }
  static_cast<void>(co_await parts_.held_deletes.forget_spent(parts_.clock.now_us()));
  const Result<std::int64_t> waiting = co_await parts_.held_deletes.count();
  if (waiting) {
    waiting_ = *waiting;
    parts_.metrics.set_deletes_held(waiting_);
  }
  co_return erased;
}

}  // namespace strongroom::cde

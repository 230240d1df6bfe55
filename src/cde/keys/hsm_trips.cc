// Asking the HSM for nothing but an answer.
#include "cde/keys/hsm_trips.h"

#include "base/log.h"
#include "base/log_recurring.h"

namespace strongroom::cde {

async::Task<void> HsmTrips::check() {
  auto ask = [this] { return calls_.token->check(); };
  Result<void> answer;
  if (own_) {
    answer = ask();
  } else {
    answer = co_await calls_.pool->run(loop_, ask);
  }
  // Too many calls wait: the HSM is slow, not gone.
  const bool away = !answer && answer.error().code() != ErrorCode::exhausted;
  note(away ? std::optional(answer.error()) : std::nullopt);
}

void HsmTrips::note(std::optional<Error> trouble) {
  static log::Recurring gone("the HSM does not do what is asked of it");
  if (trouble && !trouble_) gone.warn({{"error", *trouble}});
  if (!trouble && trouble_) log::info("the HSM answers again");
  if (trouble) failed_at_ = std::chrono::steady_clock::now();
  trouble_ = trouble;
}

}  // namespace strongroom::cde

// Asking the HSM for nothing but an answer.
#include "cde/keys/hsm_trips.h"

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
  hsm_answers_ = answer || answer.error().code() == ErrorCode::exhausted;
}

}  // namespace strongroom::cde

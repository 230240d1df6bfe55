// Holding verification codes for a while.
#include "cde/vault/cvc_holder.h"

#include <utility>

namespace strongroom::cde {

Result<void> CvcHolder::hold(TokenId token, Cvc cvc, std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  if (held_.size() >= kCodesMax && !held_.contains(token)) {
    return fail({ErrorCode::exhausted, "too many verification codes are held"});
  }
  held_.insert_or_assign(token, Held{std::move(cvc), now_us + kHoldUsMax});
  return {};
}

void CvcHolder::drop(TokenId token) {
  const std::scoped_lock lock(mutex_);
  held_.erase(token);
}

void CvcHolder::sweep(std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(held_, [now_us](const auto& entry) { return entry.second.until_us <= now_us; });
}

std::size_t CvcHolder::count() const {
  const std::scoped_lock lock(mutex_);
  return held_.size();
}

}  // namespace strongroom::cde

// Holding verification codes for a while.
#include "cde/vault/cvc_holder.h"

#include <utility>

namespace strongroom::cde {

Result<void> CvcHolder::hold(TokenId token, Cvc cvc, TimePoint begun, TimePoint now) {
  const std::scoped_lock lock(mutex_);
  const auto dropped = drops_.find(token);
  if (begun <= drops_known_since_ || (dropped != drops_.end() && begun <= dropped->second)) {
    return fail({ErrorCode::gone, "the token may have been dropped meanwhile"});
  }
  if (held_.size() >= kCodesMax && !held_.contains(token)) {
    return fail({ErrorCode::exhausted, "too many verification codes are held"});
  }
  held_.insert_or_assign(token, Held{std::move(cvc), now + kHoldMax});
  return {};
}

std::optional<Cvc> CvcHolder::take(TokenId token, TimePoint now) {
  const std::scoped_lock lock(mutex_);
  const auto node = held_.extract(token);
  if (node.empty() || node.mapped().until <= now) return std::nullopt;
  return std::move(node.mapped().cvc);
}

bool CvcHolder::holds(TokenId token, TimePoint now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = held_.find(token);
  return found != held_.end() && found->second.until > now;
}

void CvcHolder::drop(TokenId token, TimePoint now) {
  const std::scoped_lock lock(mutex_);
  held_.erase(token);
  if (drops_.size() >= kDropsMax) {
    drops_.clear();
    drops_known_since_ = now;
  }
  drops_.insert_or_assign(token, now);
}

void CvcHolder::sweep(TimePoint now) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(held_, [now](const auto& entry) { return entry.second.until <= now; });
  const TimePoint known_since = now - kDropsKnown;
  if (known_since <= drops_known_since_) return;
  std::erase_if(drops_, [=](const auto& entry) { return entry.second <= known_since; });
  drops_known_since_ = known_since;
}

std::vector<TokenId> CvcHolder::tokens(TokenId mark, std::size_t count_max) const {
  const std::scoped_lock lock(mutex_);
  std::vector<TokenId> some;
  for (auto one = held_.upper_bound(mark); one != held_.end() && some.size() < count_max; ++one) {
    some.push_back(one->first);
  }
  return some;
}

std::size_t CvcHolder::count() const {
  const std::scoped_lock lock(mutex_);
  return held_.size();
}

}  // namespace strongroom::cde

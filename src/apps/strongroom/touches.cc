// Counts touches of cards.
#include "apps/strongroom/touches.h"

#include <utility>

#include "audit/entry.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kDayBytes = 10;  // of a timestamp: YYYY-MM-DD

}  // namespace

bool Touches::add(const audit::EntryView& entry) {
  // An outcome may come on a later day than was asked for, and closes its intent all the same.
  if (entry.phase == audit::Phase::outcome) open_.erase(entry.operation_id);
  const std::string_view day = entry.timestamp.substr(0, kDayBytes);
  if (entry.gateway_token.empty() || day < filter_.from || day > filter_.to) return true;
  if (!filter_.merchant.empty() && entry.merchant_id != filter_.merchant) return true;
  const bool is_intent = entry.phase == audit::Phase::intent;
  const std::string_view outcome = is_intent ? "open" : audit::name(entry.outcome);
  Touch touch{std::string(day), std::string(entry.user), std::string(entry.gateway_token),
              std::string(audit::name(entry.event_type)), std::string(outcome)};
  if (is_intent) {
    open_.insert_or_assign(entry.operation_id, std::move(touch));
  } else {
    ++counts_[std::move(touch)];
  }
  return counts_.size() + open_.size() <= kTouchRowsMax;
}

std::map<Touch, std::uint64_t> Touches::counts() const {
  auto counts = counts_;
  for (const auto& [operation, touch] : open_) ++counts[touch];
  return counts;
}

}  // namespace strongroom::tool

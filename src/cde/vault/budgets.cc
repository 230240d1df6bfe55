// What is spent comes back one act at a time; a holder that owes nothing is forgotten when there is
// no room for another.
#include "cde/vault/budgets.h"

#include <algorithm>
#include <utility>

namespace strongroom::cde {
namespace {

std::chrono::nanoseconds step_of(std::int64_t per_minute) {
  return std::chrono::nanoseconds(Budgets::kWindow) / per_minute;
}

}  // namespace

Budgets::Budgets(const std::array<Budget, kActs>& limits) {
  for (std::size_t act = 0; act < kActs; ++act) {
    merchants_[act].step = step_of(limits[act].merchant);
    identities_[act].step = step_of(limits[act].identity);
  }
}

std::expected<void, Budgets::Refusal> Budgets::spend(Act act, std::string_view merchant,
                                                     std::string_view identity, TimePoint now) {
  Side& merchants = merchants_[std::to_underlying(act)];
  Side& identities = identities_[std::to_underlying(act)];
  const std::scoped_lock lock(mutex_);
  Holder& of_merchant = holder(merchants, merchant, now);
  Holder& of_identity = holder(identities, identity, now);
  if (const auto rest = wait(merchants, of_merchant, now); rest.count() > 0) {
    return std::unexpected(refuse(of_merchant, rest, now));
  }
  if (const auto rest = wait(identities, of_identity, now); rest.count() > 0) {
    return std::unexpected(refuse(of_identity, rest, now));
  }
  of_merchant.spent_until = std::max(of_merchant.spent_until, now) + merchants.step;
  of_identity.spent_until = std::max(of_identity.spent_until, now) + identities.step;
  return {};
}

Budgets::Holder& Budgets::holder(Side& side, std::string_view name, TimePoint now) {
  if (const auto found = side.holders.find(name); found != side.holders.end()) return found->second;
  if (side.holders.size() >= kHoldersMax) {
    std::erase_if(side.holders, [now](const auto& one) {
      return one.second.spent_until <= now && one.second.refused == 0;
    });
  }
  const bool full = side.holders.size() >= kHoldersMax;
  return side.holders[full ? std::string() : std::string(name)];
}

std::chrono::nanoseconds Budgets::wait(const Side& side, const Holder& holder, TimePoint now) {
  return std::max(holder.spent_until, now) + side.step - (now + kWindow);
}

Budgets::Refusal Budgets::refuse(Holder& holder, std::chrono::nanoseconds wait, TimePoint now) {
  ++holder.refused;
  Refusal refusal{std::chrono::ceil<std::chrono::seconds>(wait), 0};
  if (now >= holder.next_entry) {
    holder.next_entry = now + kWindow;
    refusal.to_tell = std::exchange(holder.refused, 0);
  }
  return refusal;
}

}  // namespace strongroom::cde

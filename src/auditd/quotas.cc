// Quotas: a leaky bucket per writer.
#include "auditd/quotas.h"

#include <algorithm>
#include <ratio>

namespace strongroom::auditd {
namespace {

using Minutes = std::chrono::duration<double, std::ratio<60>>;

}  // namespace

bool Quotas::take(std::string_view instance, std::size_t amount, Time now) {
  const std::lock_guard lock(mutex_);
  auto found = used_.find(instance);
  if (found == used_.end()) found = used_.emplace(std::string(instance), Used{0, now}).first;
  Used& used = found->second;
  const double leaked = static_cast<double>(limit_.per_minute) * Minutes(now - used.at).count();
  used.amount = std::max(0.0, used.amount - leaked);
  used.at = now;
  if (used.amount + static_cast<double>(amount) > static_cast<double>(limit_.at_once)) {
    turned_away_.insert_or_assign(std::string(instance), now);
    return false;
  }
  used.amount += static_cast<double>(amount);
  return true;
}

void Quotas::set_limit(QuotaLimit limit) {
  const std::lock_guard lock(mutex_);
  limit_ = limit;
}

std::map<std::string, bool> Quotas::turned_away(Time since) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, bool> writers;
  for (const auto& [instance, when] : turned_away_) writers.emplace(instance, when >= since);
  std::erase_if(turned_away_, [&](const auto& item) { return item.second < since; });
  return writers;
}

}  // namespace strongroom::auditd

// Quotas: a leaky bucket per writer that holds one minute's bytes.
#include "auditd/quotas.h"

#include <algorithm>
#include <ratio>

namespace strongroom::auditd {
namespace {

using Minutes = std::chrono::duration<double, std::ratio<60>>;

}  // namespace

bool Quotas::take(std::string_view instance, std::size_t bytes, Time now) {
  auto found = used_.find(instance);
  if (found == used_.end()) found = used_.emplace(std::string(instance), Used{0, now}).first;
  Used& used = found->second;
  const auto limit = static_cast<double>(bytes_per_minute_);
  used.bytes = std::max(0.0, used.bytes - limit * Minutes(now - used.at).count());
  used.at = now;
  if (used.bytes + static_cast<double>(bytes) > limit) {
    turned_away_.insert_or_assign(std::string(instance), now);
    return false;
  }
  used.bytes += static_cast<double>(bytes);
  return true;
}

std::map<std::string, bool> Quotas::turned_away(Time since) {
  std::map<std::string, bool> writers;
  for (const auto& [instance, when] : turned_away_) writers.emplace(instance, when >= since);
  std::erase_if(turned_away_, [&](const auto& item) { return item.second < since; });
  return writers;
}

}  // namespace strongroom::auditd

#include "loadgen/load_plan.h"

#include <algorithm>
#include <numeric>

#include "base/try.h"

namespace strongroom::bench {

std::string_view to_string(Target target) noexcept {
  switch (target) {
    case Target::vault:
      return "vault";
    case Target::edge:
      return "edge";
    case Target::processor:
      return "processor";
  }
  SR_CHECK(false);
}

std::string_view to_string(Mix mix) noexcept {
  switch (mix) {
    case Mix::new_cards:
      return "new";
    case Mix::duplicates:
      return "duplicate";
    case Mix::lookups:
      return "lookup";
    case Mix::sales:
      return "sale";
    case Mix::resolves:
      return "resolve";
    case Mix::handovers:
      return "hand-over";
    case Mix::payments_and_cards:
      return "mixed";
  }
  SR_CHECK(false);
}

bool has_resolves(Mix mix) noexcept {
  return mix == Mix::resolves || mix == Mix::handovers || mix == Mix::payments_and_cards;
}

void Tally::merge(const Tally& other) {
  latencies.merge(other.latencies);
  for (const auto& [status, count] : other.statuses) statuses[status] += count;
  for (const auto& [code, count] : other.failures) failures[code] += count;
  cards_used = std::max(cards_used, other.cards_used);
}

std::uint64_t Tally::requests() const noexcept {
  const auto add = [](std::uint64_t sum, const auto& entry) { return sum + entry.second; };
  return std::accumulate(statuses.begin(), statuses.end(), std::uint64_t{0}, add) +
         std::accumulate(failures.begin(), failures.end(), std::uint64_t{0}, add);
}

std::uint64_t Tally::errors() const noexcept { return requests() - latencies.count(); }

}  // namespace strongroom::bench

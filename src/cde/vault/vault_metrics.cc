// Registering, with the names that /metrics has for results.
#include "cde/vault/vault_metrics.h"

#include <string>
#include <string_view>
#include <utility>

namespace strongroom::cde {
namespace {

constexpr std::array<std::string_view, 5> kResultNames{"cached", "created", "refused", "unknown",
                                                       "unavailable"};
static_assert(kResultNames.size() == std::to_underlying(ResolveResult::unavailable) + 1);

}  // namespace

VaultMetrics::VaultMetrics(Registry& registry)
    : cards_(registry.histogram("strongroom_card_residence_seconds",
                                "How long a card was in memory to be tokenized.",
                                duration_buckets_us())),
      shed_(registry.counter("strongroom_cards_shed_total",
                             "Cards whose request had waited too long and was shed.")),
      requests_(registry.counter("strongroom_vault_requests_total",
                                 "Requests on cards that came to the vault.")),
      moved_deks_(registry.counter("strongroom_deks_moved_total",
                                   "Keys of cards moved to the active version of the KEK.")),
      unmoved_deks_(registry.gauge("strongroom_deks_unmoved",
                                   "Keys of cards under an old KEK that do not open.")),
      keys_late_(registry.gauge("strongroom_keys_late",
                                "Old KEKs that erase_within_days has not seen destroyed.")),
      stale_(registry.counter("strongroom_processor_tokens_stale_total",
                              "Processor tokens dropped because the processor forgot the card.")),
      removals_(registry.gauge("strongroom_removals_queued",
                               "Stored cards that their processors are still to forget.")),
      codes_held_(registry.gauge("strongroom_codes_held", "Verification codes in memory.")),
      deletes_held_(registry.gauge("strongroom_deletes_held",
                                   "Deletes above their budget that wait for an operator.")) {
  for (std::size_t result = 0; result < kResults; ++result) {
    durations_[result] =
        &registry.histogram("strongroom_resolve_seconds", "Time of resolves, by what they came to.",
                            duration_buckets_us(), {{"result", std::string(kResultNames[result])}});
  }
}

void VaultMetrics::count_card(std::chrono::steady_clock::duration took, bool shed) noexcept {
  cards_.observe(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  if (shed) shed_.add();
}

void VaultMetrics::count(ResolveResult result, std::chrono::steady_clock::duration took) noexcept {
  durations_[std::to_underlying(result)]->observe(
      std::chrono::duration_cast<std::chrono::microseconds>(took).count());
}

}  // namespace strongroom::cde

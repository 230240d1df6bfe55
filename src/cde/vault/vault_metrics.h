// VaultMetrics: what became of the resolves, how long they took, and what the jobs have done and
// still are to do, for /metrics.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/metrics.h"

namespace strongroom::cde {

// How a resolve ended.
enum class ResolveResult : std::uint8_t {
  cached,       // the processor token that was kept
  created,      // the card was put at the processor
  refused,      // by its token's state, or by the processor
  unknown,      // the processor may have the card
  unavailable,  // something that it takes was not there
};

// Made once, thread-safe.
class VaultMetrics {
 public:
  explicit VaultMetrics(Registry& registry);

  void count(ResolveResult result, std::chrono::steady_clock::duration took) noexcept;
  // A card that was here for so long, from the request until its answer; `shed`: it waited too
  // long.
  void count_card(std::chrono::steady_clock::duration took, bool shed) noexcept;
  // A processor token that its processor has forgotten.
  void count_stale() noexcept { stale_.add(); }
  // A request of a neighbor, when it comes.
  void count_request() noexcept { requests_.add(); }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_.value(); }
  // DEKs that were moved to the active version, and those that the last pass could not move.
  void count_moved_deks(std::uint64_t count) noexcept { moved_deks_.add(count); }
  void set_unmoved_deks(std::int64_t count) noexcept { unmoved_deks_.set(count); }
  // Versions of the KEK that are to be destroyed, as cards that stood under them were deleted, and
  // are not in time.
  void set_keys_late(std::int64_t count) noexcept { keys_late_.set(count); }
  void set_removals_queued(std::int64_t count) noexcept { removals_.set(count); }
  void set_codes_held(std::int64_t count) noexcept { codes_held_.set(count); }
  void set_deletes_held(std::int64_t count) noexcept { deletes_held_.set(count); }

 private:
  static constexpr std::size_t kResults = 5;
  std::array<Histogram*, kResults> durations_{};  // their counts are the results' counts
  Histogram& cards_;
  Counter& shed_;
  Counter& requests_;
  Counter& moved_deks_;
  Gauge& unmoved_deks_;
  Gauge& keys_late_;
  Counter& stale_;
  Gauge& removals_;
  Gauge& codes_held_;
  Gauge& deletes_held_;
};

}  // namespace strongroom::cde

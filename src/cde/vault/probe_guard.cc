// Counting what may be probes.
#include "cde/vault/probe_guard.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "crypto/context.h"
#include "crypto/mac.h"

namespace strongroom::cde {
namespace {

constexpr std::uint16_t kFull = std::numeric_limits<std::uint16_t>::max();

std::uint32_t word_of(const crypto::HmacTag& tag, std::size_t index) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, tag.data() + index * sizeof word, sizeof word);
  return word;
}

}  // namespace

ProbeGuard::ProbeGuard(crypto::Random& random, std::uint16_t limit)
    : limit_(limit), counters_(2 * kCountersPerRow) {
  random.fill(key_);
}

std::expected<ProbeGuard::Place, std::chrono::seconds> ProbeGuard::enter(
    const Truncation& truncation, const Fingerprint& card, TimePoint now) {
  const Cells cells = cells_of(truncation);
  const std::scoped_lock lock(mutex_);
  if (now >= window_end_) begin_window(now);
  if (const auto found = under_way_.find(card); found != under_way_.end()) {
    ++found->second.requests;
    return Place(*this, found);
  }
  if (std::min(counters_[cells[0]], counters_[cells[1]]) >= limit_) {
    return std::unexpected(std::chrono::ceil<std::chrono::seconds>(window_end_ - now));
  }
  count(cells);
  return Place(*this, under_way_.emplace(card, UnderWay{cells}).first);
}

void ProbeGuard::keep(UnderWayMap::iterator card) noexcept {
  const std::scoped_lock lock(mutex_);
  card->second.kept = true;
}

void ProbeGuard::leave(UnderWayMap::iterator card) noexcept {
  const std::scoped_lock lock(mutex_);
  if (--card->second.requests > 0) return;
  if (!card->second.kept) {
    for (const std::size_t cell : card->second.cells) {
      if (counters_[cell] != kFull) --counters_[cell];  // full: nobody knows how many it counted
    }
  }
  under_way_.erase(card);
}

ProbeGuard::Cells ProbeGuard::cells_of(const Truncation& truncation) const {
  crypto::Context context("strongroom/probe-guard/1");
  context.add(truncation.merchant).add(truncation.bin).add(truncation.last4);
  const crypto::HmacTag tag = crypto::hmac_sha256(key_, context.bytes());
  return {word_of(tag, 0) % kCountersPerRow, kCountersPerRow + word_of(tag, 1) % kCountersPerRow};
}

void ProbeGuard::count(const Cells& cells) noexcept {
  for (const std::size_t cell : cells) {
    if (counters_[cell] != kFull) ++counters_[cell];
  }
}

void ProbeGuard::begin_window(TimePoint now) {
  std::ranges::fill(counters_, std::uint16_t{0});
  for (const auto& [card, under_way] : under_way_) count(under_way.cells);
  window_end_ = now + kWindow;
}

}  // namespace strongroom::cde

// LoadPlan: what load to make, and Tally: what came of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "loadgen/arrivals.h"
#include "loadgen/latency_histogram.h"

namespace strongroom::bench {

enum class Target : std::uint8_t {
  vault,      // vaultd itself: mutual TLS and a ticket
  edge,       // edged: TLS and the API key
  processor,  // psp-sim, which plays the processor: TLS and a test key; sales only
};
enum class Mix : std::uint8_t {
  new_cards,   // every card for the first time
  duplicates,  // cards that are there already
  lookups,     // GET of tokens that are there
  sales,       // payments with tokens that have paid before; not at the vault
  resolves,    // processor tokens that the vault keeps, as gatewayd asks for them; at the vault
  handovers,   // the same for an account without one: the card goes to the null connector
  payments_and_cards,  // four resolves to one new card
};
// True for the mixes of which gatewayd is the caller.
[[nodiscard]] bool has_resolves(Mix mix) noexcept;
[[nodiscard]] std::string_view to_string(Target target) noexcept;
[[nodiscard]] std::string_view to_string(Mix mix) noexcept;

struct LoadPlan {
  Target target = Target::vault;
  Mix mix = Mix::new_cards;
  std::size_t connections = 64;
  // Requests per second of the open model; none: the closed model, where each connection sends its
  // next request when it has the answer to the last.
  std::optional<double> rate{};
  std::chrono::milliseconds warmup{1'000};
  std::chrono::milliseconds duration{5'000};
  std::size_t threads = 1;
  std::uint64_t first_card = 0;  // index into the sequence of test cards
  std::size_t pool = 1'000;      // cards made beforehand for all but new_cards
};

// Window is when a run warms up and measures. A request belongs to the measurement when it began
// (open model: when it was due) inside it; it is then waited for.
struct Window {
  SteadyTime warmup_begin;
  SteadyTime begin;
  SteadyTime end;
  [[nodiscard]] bool contains(SteadyTime since) const noexcept {
    return since >= begin && since < end;
  }
};

// Tally is what one thread measured. Latencies are of the answers with status 2xx. A sale's must
// say that it was captured, a resolve's whether the card was handed over for it as the mix has it,
// or it counts as a failure, unknown_outcome; a 503 without Retry-After as corrupt.
struct Tally {
  LatencyHistogram latencies;
  std::map<int, std::uint64_t> statuses{};
  std::map<ErrorCode, std::uint64_t> failures{};  // no answer
  std::uint64_t cards_used = 0;  // of the thread's share, warm-up and pool included

  // Adds up; of cards_used it keeps the larger, as each thread has its own share.
  void merge(const Tally& other);
  [[nodiscard]] std::uint64_t requests() const noexcept;  // all
  [[nodiscard]] std::uint64_t errors() const noexcept;    // those without a 2xx answer
};

}  // namespace strongroom::bench

// The measurements of audit_load. Each makes what it needs in `folder`; a failure is a failed
// SR_CHECK, as a figure with failures in it would say nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loadgen/latency_histogram.h"

namespace strongroom::bench {

// What was measured, by name: times in microseconds unless the name says otherwise.
using Figures = std::vector<std::pair<std::string_view, double>>;

// p50_us, p99_us and max_us.
void add_latency(Figures& figures, const LatencyHistogram& histogram);

// Entries of a group, one after the other: write, then fdatasync, with nothing else around it.
[[nodiscard]] Figures run_plain(const std::string& folder, std::size_t group,
                                std::chrono::duration<double> length);
// The same through audit::Journal.
[[nodiscard]] Figures run_journal(const std::string& folder, std::size_t group,
                                  std::chrono::duration<double> length);

struct SocketLoad {
  std::size_t writers = 64;  // each waits until its entry is durable before it has another
  std::size_t connections = 2;
  // Open model, in place of the writers: operations per second, each an intent that is waited for
  // and an outcome that follows, as a tokenization has them.
  double rate = 0;
  std::chrono::duration<double> length{3};
};
// Through auditd's socket, from one thread: what vaultd does.
[[nodiscard]] Figures run_socket(const std::string& folder, const SocketLoad& load);

// The runs below share the log that make_log() has left in `folder`.
// Writes it as auditd does, in groups of 256, with a snapshot that is as old at the end as one may
// be.
[[nodiscard]] Figures make_log(const std::string& folder, std::uint64_t entries);
// auditd's start on it, its pages not in memory: after a crash, and after a stop.
[[nodiscard]] Figures run_start(const std::string& folder);
// `count` inclusion proofs of entries anywhere in it, from opening the log to the proof, and the
// check of each; the first ones read from the disk.
[[nodiscard]] Figures run_prove(const std::string& folder, std::uint64_t count);
// All of `strongroom audit verify`.
[[nodiscard]] Figures run_verify(const std::string& folder);

}  // namespace strongroom::bench

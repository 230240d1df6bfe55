// Exporter: one sink's copy of all logs, from where it was to what is signed. At least once: what
// may have been lost on the way is sent again.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/files.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "connected/relay/export_format.h"
#include "connected/relay/export_sink.h"
#include "connected/relay/log_batch.h"
#include "connected/relay/log_watch.h"
#include "crypto/random.h"

namespace strongroom::connected::relay {

struct ExportMetrics {
  Gauge& lag;         // entries that are signed and not yet surely with the sink
  Gauge& failing;     // 1 while it does not go on
  Counter& exported;  // records handed on
  Counter& failures;
};

// How far a sink is, as the text of its file: "<log> <entries>" a line, ascending. corrupt.
[[nodiscard]] std::string export_place_text(const LogSizes& sizes);
[[nodiscard]] Result<LogSizes> parse_export_place(std::string_view text);

// Belongs to one Loop. Everything borrowed outlives it, and run() ends before it goes.
class Exporter {
 public:
  struct Parts {
    async::Loop& loop;
    async::BlockingPool& pool;  // its own and its sink's: a sink that hangs keeps a thread
    audit::Files& files;
    const LogWatch& watch;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    ExportSink& sink;
    ExportMetrics metrics;
    std::string name;         // of the sink in the configuration
    std::string destination;  // of it, for the audit log
    std::string directory;    // DIR/audit
    std::string place;        // of the logs: "<trust domain>/<auditd's instance>"
    std::string place_path;   // the file that says how far the sink is
    std::string host;         // this host's name
    ExportFormat format;
    std::chrono::milliseconds retry_first{500};  // doubled per failure up to retry_max
    std::chrono::milliseconds retry_max{30'000};
    std::chrono::milliseconds slow{10'000};  // a sink that takes longer fails
  };
  explicit Exporter(Parts parts) : parts_(std::move(parts)) {}

  // Exports until stop(), and ends within a delivery of it. The first thing is a log.export entry,
  // durable, which says where copies go from now on (PCI DSS 10.2.1.3).
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }

  [[nodiscard]] const std::string& name() const noexcept { return parts_.name; }
  // Why it does not go on, a literal; empty while it does.
  [[nodiscard]] std::string_view cause() const noexcept;
  // The cause with what else is known of it, for an operator.
  [[nodiscard]] std::string trouble() const;
  // Brings the gauges up to date; called regularly, for run() may hang with its sink.
  void look();

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Delivered {
    SteadyClock::time_point at;
    LogSizes sizes;  // with it
  };
  async::Task<Result<void>> begin();
  async::Task<Result<bool>> export_batch();
  async::Task<Result<void>> settle();
  async::Task<void> pause(std::chrono::milliseconds duration);
  void take(const Result<bool>& done);
  void meet(const std::vector<UnreadableEntry>& unreadable);
  [[nodiscard]] std::chrono::milliseconds busy_for() const noexcept;

  Parts parts_;
  // The pool's, while export_batch() waits.
  LogTurns turns_{parts_.files, parts_.directory, AtArchived::stop};
  bool begun_ = false;
  LogSizes settled_;                                   // what the sink surely has; in the file
  LogSizes sent_;                                      // with what was handed on
  std::deque<Delivered> in_doubt_;                     // oldest first
  unsigned failures_ = 0;                              // in a row
  std::optional<UnreadableEntry> unreadable_;          // where the copy of a log stops
  std::optional<SteadyClock::time_point> busy_since_;  // with a batch
  bool stopping_ = false;
};

}  // namespace strongroom::connected::relay

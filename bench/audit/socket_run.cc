// Load on auditd's socket.
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <thread>

#include "audit/client.h"
#include "audit/runs.h"
#include "audit/sample.h"
#include "auditd/auditd.h"
#include "base/try.h"
#include "loadgen/arrivals.h"

namespace strongroom::bench {
namespace {

using async::Task;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kWarmUp = 500ms;
constexpr auto kPatience = 5s;
constexpr std::uint64_t kNoQuota = std::numeric_limits<std::uint64_t>::max();

double cpu_us(clockid_t clock) {
  timespec time{};
  SR_CHECK(::clock_gettime(clock, &time) == 0);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

// auditd on a thread of its own.
class Daemon {
 public:
  explicit Daemon(const std::string& folder) : socket_(folder + "/sock") {
    std::filesystem::create_directory(folder + "/audit");
    auto store = auditd::Store::open(files_, kClock, randomness(),
                                     {.directory = folder + "/audit",
                                      .instance = std::string(kAuditd),
                                      .trust_domain = std::string(kTrustDomain)},
                                     signer());
    SR_CHECK(store.has_value());
    auto started = auditd::Auditd::start(loop_, *std::move(store), metrics_,
                                         {.socket_path = socket_,
                                          .users = {{std::string(kWriter), ::geteuid()}},
                                          .quota_bytes_per_minute = kNoQuota});
    SR_CHECK(started.has_value());
    auditd_ = *std::move(started);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Daemon() {
    loop_.stop();
    thread_.join();
    loop_.run_until_done(auditd_->drain());
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  [[nodiscard]] const std::string& socket() const noexcept { return socket_; }
  // The metric that counts entries per fdatasync.
  [[nodiscard]] Histogram& groups() {
    return metrics_.histogram("strongroom_audit_group_entries", "", batch_buckets());
  }

 private:
  audit::PosixFiles files_;
  std::string socket_;
  Registry metrics_;
  async::Loop loop_;
  std::unique_ptr<auditd::Auditd> auditd_;
  std::thread thread_;
};

// What the writers share.
struct Run {
  async::Loop loop;
  std::vector<std::unique_ptr<audit::Client>> clients;
  LatencyHistogram latency;
  steady_clock::time_point begin{};  // of the measurement
  bool stopping = false;
  std::size_t running = 0;  // tasks that finish() waits for

  void took(steady_clock::time_point since) {
    if (since >= begin && !stopping) latency.record(steady_clock::now() - since);
  }
};

Task<void> write_one_by_one(Run& run, audit::Client& client) {
  ++run.running;
  while (!run.stopping) {
    const auto since = steady_clock::now();
    const audit::Entry entry = new_entry();
    const Result<void> recorded = co_await client.record(entry);
    SR_CHECK(recorded.has_value());
    run.took(since);
  }
  --run.running;
}

Task<void> operate(Run& run, audit::Client& client, steady_clock::time_point due) {
  ++run.running;
  const audit::Entry intent = new_entry(audit::Phase::intent);
  const Result<void> recorded = co_await client.record(intent);
  SR_CHECK(recorded.has_value());
  run.took(due);
  client.send(audit::outcome_of(intent, audit::Outcome::done,
                                crypto::new_entry_id(randomness(), kClock), kClock.now_us()));
  --run.running;
}

Task<void> keep_schedule(Run& run, double rate) {
  ++run.running;
  const auto start = steady_clock::now();
  Arrivals arrivals(start, steady_clock::time_point::max(), rate);
  std::size_t number = 0;
  while (!run.stopping) {
    const auto now = steady_clock::now();
    const auto next = *arrivals.next();
    if (next > now) co_await run.loop.sleep_for(next - now);
    while (const auto due = arrivals.take_due(steady_clock::now())) {
      async::spawn(operate(run, *run.clients[number++ % run.clients.size()], *due));
    }
  }
  --run.running;
}

Task<void> connect(Run& run, const std::string& socket, std::size_t connections) {
  run.clients.reserve(connections);
  const audit::ClientOptions options{.socket_path = socket, .instance = std::string(kWriter)};
  for (std::size_t i = 0; i < connections; ++i) {
    run.clients.push_back(std::make_unique<audit::Client>(run.loop, kClock, options));
    const bool connected = co_await run.clients.back()->connected(kPatience);
    SR_CHECK(connected);
  }
}

Task<void> finish(Run& run) {
  while (run.running > 0) co_await run.loop.sleep_for(1ms);
  for (const auto& client : run.clients) {
    const bool drained = co_await client->drain(kPatience);
    SR_CHECK(drained);
    co_await client->close();
  }
}

std::uint64_t count_of(const Histogram& histogram) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= histogram.buckets().bounds.size(); ++i) count += histogram.count(i);
  return count;
}

// The counters that the figures are differences of.
struct Counts {
  explicit Counts(Daemon& daemon)
      : at(steady_clock::now()),
        client_us(cpu_us(CLOCK_THREAD_CPUTIME_ID)),
        all_us(cpu_us(CLOCK_PROCESS_CPUTIME_ID)),
        entries(static_cast<double>(daemon.groups().sum())),
        groups(static_cast<double>(count_of(daemon.groups()))) {}
  steady_clock::time_point at;
  double client_us, all_us, entries, groups;
};

Figures difference(const Counts& before, const Counts& after, const LatencyHistogram& latency) {
  const double entries = after.entries - before.entries;
  const double client_us = after.client_us - before.client_us;
  Figures figures{
      {"entries_per_second", entries / std::chrono::duration<double>(after.at - before.at).count()},
      {"entries_per_group", entries / (after.groups - before.groups)},
      {"auditd_cpu_us_per_entry", (after.all_us - before.all_us - client_us) / entries},
      {"client_cpu_us_per_entry", client_us / entries}};
  add_latency(figures, latency);
  return figures;
}

}  // namespace

Figures run_socket(const std::string& folder, const SocketLoad& load) {
  const Folder own(folder);
  Daemon daemon(own.path());
  Run run;
  run.loop.run_until_done(connect(run, daemon.socket(), load.connections));
  const auto length = std::chrono::duration_cast<std::chrono::nanoseconds>(load.length);
  run.begin = steady_clock::now() + kWarmUp;
  if (load.rate > 0) {
    async::spawn(keep_schedule(run, load.rate));
  } else {
    for (std::size_t i = 0; i < load.writers; ++i) {
      async::spawn(write_one_by_one(run, *run.clients[i % run.clients.size()]));
    }
  }
  run.loop.run_until_done(run.loop.sleep_for(kWarmUp));
  const Counts before(daemon);
  run.loop.run_until_done(run.loop.sleep_for(length));
  const Counts after(daemon);
  run.stopping = true;
  run.loop.run_until_done(finish(run));
  return difference(before, after, run.latency);
}

}  // namespace strongroom::bench

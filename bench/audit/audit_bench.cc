// audit_bench DIR [OPTION...]: what audit entries of about 700 bytes cost: to write and to read
// their JSON, to make groups durable in DIR's file system, to pass through auditd over its socket,
// and to be verified. OPTIONs are Google Benchmark's.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

#include "audit/client.h"
#include "audit/entry_view.h"
#include "audit/merkle.h"
#include "audit/verify.h"
#include "auditd/auditd.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom {
namespace {

namespace fs = std::filesystem;
using async::Task;
using namespace std::chrono_literals;

std::string g_folder;  // where the file system is measured
const SystemClock kClock;
crypto::SystemRandom g_random;
audit::PosixFiles g_files;

audit::Entry new_entry() {
  return {.uid = crypto::new_entry_id(g_random, kClock),
          .operation_id = crypto::new_operation_id(g_random, kClock),
          .event_type = audit::EventType::token_create,
          .phase = audit::Phase::single,
          .outcome = audit::Outcome::success,
          .time_us = kClock.now_us(),
          .instance = "vaultd",
          .user = "key_01jd7v0c8n2x5h3q",
          .source_ip = "192.0.2.7",
          .operation = "POST /v1/tokens",
          .resources = {"tok_qk3v7zq2m5x4n6b8c1d0f9g8h7"},
          .gateway_token = "tok_qk3v7zq2m5x4n6b8c1d0f9g8h7",
          .merchant_id = "mer_01jd7v0c8n2x5h3q",
          .bin = "424242",
          .last4 = "4242",
          .request_id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"};
}

// A fresh folder that is removed again.
struct Folder {
  Folder() : path(g_folder + "/audit_bench_XXXXXX") {
    SR_CHECK(::mkdtemp(path.data()) != nullptr);
    fs::create_directory(path + "/audit");
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path;
};

crypto::Ed25519Signer signer() {
  std::array<std::byte, 32> seed{};
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}

// auditd on a thread of its own.
class Daemon {
 public:
  explicit Daemon(const Folder& folder, audit::JournalOptions journal = {})
      : socket_(folder.path + "/sock") {
    auto store = auditd::Store::open(g_files, kClock, g_random,
                                     {.directory = folder.path + "/audit",
                                      .instance = "auditd",
                                      .trust_domain = "bench.example",
                                      .journal = std::move(journal)},
                                     signer());
    SR_CHECK(store.has_value());
    auto started =
        auditd::Auditd::start(loop_, *std::move(store), metrics_,
                              {.socket_path = socket_, .users = {{"vaultd", ::geteuid()}}});
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
  const std::string& socket() const { return socket_; }

 private:
  std::string socket_;
  Registry metrics_;
  async::Loop loop_;
  std::unique_ptr<auditd::Auditd> auditd_;
  std::thread thread_;
};

void write_json(benchmark::State& state) {
  const audit::Entry entry = new_entry();
  std::size_t size = 0;
  for (auto _ : state) size += audit::to_json(entry).size();
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(audit::to_json(entry).size());
  benchmark::DoNotOptimize(size);
}
BENCHMARK(write_json);

void read_json(benchmark::State& state) {
  const std::string json = audit::to_json(new_entry());
  for (auto _ : state) benchmark::DoNotOptimize(audit::read_entry(json));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_json);

void hash_leaf(benchmark::State& state) {
  const std::string json = audit::to_json(new_entry());
  audit::MerkleTree tree;
  for (auto _ : state) tree.append(audit::leaf_hash_of_input(as_bytes(json)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(hash_leaf);

void commit_group(benchmark::State& state) {
  const Folder folder;
  auto reader = audit::JournalReader::open(g_files, folder.path + "/audit");
  SR_CHECK(reader && reader->next());
  auto journal =
      audit::Journal::resume(g_files,
                             {.directory = folder.path + "/audit",
                              .zero_ahead_bytes = static_cast<std::uint64_t>(state.range(1))},
                             *reader);
  SR_CHECK(journal.has_value());
  const std::string json = audit::to_json(new_entry());
  for (auto _ : state) {
    for (int i = 0; i < state.range(0); ++i) (*journal)->stage(json);
    SR_CHECK((*journal)->commit().has_value());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(commit_group)
    ->ArgsProduct({{1, 16, 64, 256}, {0, 2 << 20, 8 << 20}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

Task<void> record_for_ever(audit::Client& client, const bool& stop, std::uint64_t& done,
                           int& running) {
  while (!stop) {
    const audit::Entry entry = new_entry();
    const Result<void> outcome = co_await client.record(entry);
    SR_CHECK(outcome.has_value());
    ++done;
  }
  --running;
}

Task<void> wait_for(async::Loop& loop, const std::uint64_t& done, std::uint64_t goal) {
  while (done < goal) co_await loop.sleep_for(200us);
}

Task<void> finish(async::Loop& loop, audit::Client& client, const int& running) {
  while (running > 0) co_await loop.sleep_for(1ms);
  co_await client.close();
}

// range(0) requests at once record an entry each and wait for it to be durable.
void through_auditd(benchmark::State& state) {
  const Folder folder;
  const Daemon daemon(folder);
  async::Loop loop;
  audit::Client client(loop, kClock, {.socket_path = daemon.socket(), .instance = "vaultd"});
  SR_CHECK(loop.run_until_done(client.connected(5s)));
  bool stop = false;
  std::uint64_t done = 0;
  int running = static_cast<int>(state.range(0));
  for (int i = running; i > 0; --i) async::spawn(record_for_ever(client, stop, done, running));
  constexpr std::uint64_t kStep = 1000;
  for (auto _ : state) loop.run_until_done(wait_for(loop, done, done + kStep));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kStep));
  stop = true;
  loop.run_until_done(finish(loop, client, running));
}
BENCHMARK(through_auditd)
    ->Arg(1)
    ->Arg(16)
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void verify(benchmark::State& state) {
  const Folder folder;
  constexpr std::uint64_t kEntries = 500'000;
  {
    auto store = auditd::Store::open(g_files, kClock, g_random,
                                     {.directory = folder.path + "/audit",
                                      .instance = "auditd",
                                      .trust_domain = "bench.example"},
                                     signer());
    SR_CHECK(store.has_value());
    std::vector<std::string> group(256);
    for (std::uint64_t written = 0; written < kEntries; written += group.size()) {
      std::vector<auditd::Submission> submissions;
      for (std::string& json : group) {
        json = audit::to_json(new_entry());
        submissions.push_back({"vaultd", json});
      }
      store->ledger->append(submissions);
    }
    std::vector<auditd::GrownLog> grown = store->ledger->take_grown(0);
    SR_CHECK(store->checkpoints.publish(grown).has_value());
  }
  const audit::NoteKey key{"bench.example/auditd/operator/2026", signer().public_key()};
  for (auto _ : state) {
    const auto report =
        audit::verify_audit(g_files, folder.path + "/audit", key.text(), SystemClock().now_us());
    SR_CHECK(report && report->ok() && report->entries >= kEntries);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kEntries));
}
BENCHMARK(verify)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace strongroom

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    std::fputs("usage: audit_bench DIR [OPTION...]\n", stderr);
    return 2;
  }
  strongroom::g_folder = argv[1];
  argv[1] = argv[0];
  argv += 1;
  argc -= 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

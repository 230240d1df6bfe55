// Threads prepare first and then share one window, so that none measures while another connects.
#include "loadgen/load_run.h"

#include <sys/resource.h>

#include <future>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "base/try.h"
#include "loadgen/worker.h"

namespace strongroom::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

microseconds own_cpu() {
  rusage usage{};
  SR_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

Window window_from_now(const LoadPlan& plan) {
  const SteadyTime now = steady_clock::now();
  return {
      .warmup_begin = now, .begin = now + plan.warmup, .end = now + plan.warmup + plan.duration};
}

// What the threads of one run share.
struct Crew {
  explicit Crew(std::size_t threads)
      : prepared(static_cast<std::ptrdiff_t>(threads)), ready(threads), tallies(threads) {}
  std::latch prepared;
  std::vector<Result<void>> ready;             // each thread writes its own, before `prepared`
  std::promise<std::optional<Window>> window;  // none: a thread could not prepare
  std::shared_future<std::optional<Window>> window_shared{window.get_future()};
  std::vector<Tally> tallies;  // each thread writes its own
};

void work(const Deployment& deployment, const LoadPlan& plan, std::size_t index, Crew& crew) {
  Worker worker(deployment, plan, index);
  crew.ready[index] = worker.prepare();
  crew.prepared.count_down();
  const std::optional<Window> window = crew.window_shared.get();
  if (window) crew.tallies[index] = worker.run(*window);
}

}  // namespace

Result<LoadResult> run_load(const Deployment& deployment, const LoadPlan& plan,
                            const LoadEvents& events) {
  Crew crew(plan.threads);
  std::vector<std::jthread> threads;
  threads.reserve(plan.threads);
  for (std::size_t i = 0; i < plan.threads; ++i) {
    threads.emplace_back([&, i] { work(deployment, plan, i, crew); });
  }
  crew.prepared.wait();
  for (const Result<void>& ready : crew.ready) {
    if (ready) continue;
    crew.window.set_value(std::nullopt);
    return fail(ready.error());
  }
  const Window window = window_from_now(plan);
  crew.window.set_value(window);

  std::this_thread::sleep_until(window.begin);
  events.on_begin();
  const microseconds cpu_before = own_cpu();
  std::this_thread::sleep_until(window.end);
  LoadResult result;
  result.own_cpu = own_cpu() - cpu_before;
  events.on_end();
  for (std::jthread& thread : threads) thread.join();

  for (const Tally& tally : crew.tallies) result.tally.merge(tally);
  result.next_card = plan.first_card + result.tally.cards_used * plan.threads;
  return result;
}

}  // namespace strongroom::bench

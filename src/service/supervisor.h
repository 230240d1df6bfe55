// Supervisor: the main thread's part of a running daemon. It starts the workers one after the
// other, passes signals on, and stops them in order.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "async/task.h"
#include "service/admin.h"
#include "service/daemon.h"
#include "service/wakeups.h"
#include "service/worker_thread.h"

namespace strongroom::service {

class Supervisor {
 public:
  // Everything borrowed outlives the Supervisor.
  Supervisor(Host& host, Service& service, http::UnixListener admin, AdminFacts facts,
             Wakeups wakeups);

  // Serves until SIGTERM or SIGINT, then drains for at most kDrainTimeout. An error is a bad start.
  [[nodiscard]] Start<void> run();
  // After run(): a worker did not drain in time. It is never destroyed, and the process ends by
  // itself within a second, with kCutOff, for what it holds may hang.
  [[nodiscard]] bool cut_off() const noexcept { return cut_off_; }

 private:
  void launch(std::size_t index);
  Start<void> serve_until_stopped();
  // The workers that did not drain in time.
  std::set<std::size_t> drain();
  void stop_threads(const std::set<std::size_t>& undrained);
  void reload(const std::string& user);
  // Asks every worker, on worker 0's loop; one that does not answer in time is not ready.
  async::Task<Readiness> collect();

  Host& host_;
  std::optional<http::UnixListener> admin_;  // until worker 0 takes it
  AdminFacts facts_;
  Wakeups wakeups_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  std::size_t launched_ = 0;              // main thread
  std::atomic<std::size_t> started_ = 0;  // workers that serve
  std::atomic<bool> stopping_ = false;
  // The last one that could be read: the Host's, which it does not own, or that of a SIGHUP.
  std::shared_ptr<const Deployment> deployment_;
  std::atomic<bool> reload_incomplete_ = false;
  bool cut_off_ = false;
};

}  // namespace strongroom::service

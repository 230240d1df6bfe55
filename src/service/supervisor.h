// Supervisor: the main thread's part of a running daemon. It starts the workers one after the
// other, passes signals on, and stops them in order.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
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

 private:
  void launch(std::size_t index);
  Start<void> serve_until_stopped();
  void drain();
  void reload();
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
};

}  // namespace strongroom::service

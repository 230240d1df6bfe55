// WorkerThread: one Loop on its own thread, the Worker that lives there, and on the first one the
// admin socket.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "async/loop.h"
#include "http/router.h"
#include "http/server.h"
#include "service/daemon.h"
#include "service/wakeups.h"

namespace strongroom::service {

class WorkerThread {
 public:
  using AddRoutes = std::move_only_function<void(http::Router&)>;

  // The thread runs at once; it idles until launch(). Everything borrowed outlives this object.
  WorkerThread(Service& service, std::size_t index, Wakeups& wakeups);
  ~WorkerThread() { stop(); }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // Makes the worker and starts it; reports `started` or `failed`. Main thread, once.
  void launch();
  // The same with the admin socket, whose common routes `add_routes` fills in.
  void launch_with_admin(http::UnixListener listener, AddRoutes add_routes);
  // Drains the worker, then the admin socket; reports `drained`. Main thread, after launch().
  void drain();
  // Stops the loop, destroys the worker on its thread, and waits for the thread's end. Main thread,
  // any number of times.
  void stop();
  // Stops the loop of a worker that did not drain and waits for the thread's end, but destroys
  // nothing: what is under way may still be referred to. Main thread.
  static void abandon(std::unique_ptr<WorkerThread> thread);
  // Runs `work` with the worker (null before launch) on the loop's thread. Any thread.
  void post(std::move_only_function<void(Worker*)> work);

  [[nodiscard]] async::Loop& loop() noexcept { return loop_; }

 private:
  async::Task<void> start_worker();
  async::Task<void> drain_worker();
  bool make_worker();  // false, and reported: there is none
  void serve_admin_socket(http::UnixListener listener, AddRoutes add_routes);
  void report(Event::Kind kind, std::optional<Error> error = std::nullopt);

  Service& service_;
  const std::size_t index_;
  Wakeups& wakeups_;
  async::Loop loop_;
  // Made, used and destroyed on the loop's thread alone.
  std::unique_ptr<Worker> worker_;
  http::Router admin_router_;
  std::unique_ptr<http::Server> admin_;
  bool starting_ = false;  // start() is under way
  std::atomic<bool> abandoned_ = false;
  std::thread thread_;  // last: everything above exists when it starts
};

}  // namespace strongroom::service

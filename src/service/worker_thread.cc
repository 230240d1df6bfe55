// A worker's thread from its first event to its last.
#include "service/worker_thread.h"

#include <unistd.h>

#include <chrono>
#include <utility>

namespace strongroom::service {
namespace {

constexpr std::chrono::milliseconds kAdminPatience{500};
constexpr std::chrono::milliseconds kStartStep{2};

}  // namespace

WorkerThread::WorkerThread(Service& service, std::size_t index, Wakeups& wakeups)
    : service_(service), index_(index), wakeups_(wakeups), thread_([this] {
        loop_.run();
        if (abandoned_) return;
        admin_.reset();
        worker_.reset();
      }) {}

void WorkerThread::stop() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::abandon(std::unique_ptr<WorkerThread> thread) {
  thread->abandoned_ = true;
  thread->stop();
  static_cast<void>(thread.release());  // leaked: its Loop would drop coroutines under way
}

void WorkerThread::launch() {
  loop_.post([this] {
    if (make_worker()) async::spawn(start_worker());
  });
}

void WorkerThread::launch_with_admin(http::UnixListener listener, AddRoutes add_routes) {
  loop_.post([this, listener = std::move(listener), add_routes = std::move(add_routes)]() mutable {
    if (!make_worker()) return;
    serve_admin_socket(std::move(listener), std::move(add_routes));
    async::spawn(start_worker());
  });
}

bool WorkerThread::make_worker() {
  auto made = service_.make_worker(loop_, index_);
  if (made) {
    worker_ = *std::move(made);
  } else {
    report(Event::Kind::failed, made.error());
  }
  return worker_ != nullptr;
}

void WorkerThread::serve_admin_socket(http::UnixListener listener, AddRoutes add_routes) {
  add_routes(admin_router_);
  worker_->add_admin_routes(admin_router_);
  admin_ =
      http::Server::serve_unix(loop_, std::move(listener), {0, ::geteuid()}, admin_router_, {});
}

async::Task<void> WorkerThread::start_worker() {
  starting_ = true;
  const Result<void> started = co_await worker_->start();
  starting_ = false;
  if (started) {
    report(Event::Kind::started);
  } else {
    report(Event::Kind::failed, started.error());
  }
}

void WorkerThread::drain() {
  loop_.post([this] { async::spawn(drain_worker()); });
}

async::Task<void> WorkerThread::drain_worker() {
  if (worker_) co_await worker_->drain();
  while (starting_) co_await loop_.sleep_for(kStartStep);  // it gives up, now that drain() came
  if (admin_) co_await admin_->drain(kAdminPatience);
  report(Event::Kind::drained);
}

void WorkerThread::post(std::move_only_function<void(Worker*)> work) {
  loop_.post([this, work = std::move(work)]() mutable { work(worker_.get()); });
}

void WorkerThread::report(Event::Kind kind, std::optional<Error> error) {
  wakeups_.report({.kind = kind, .worker = index_, .error = error});
}

}  // namespace strongroom::service

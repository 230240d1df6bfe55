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
        admin_.reset();
        worker_.reset();
      }) {}

void WorkerThread::stop() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::launch() {
  loop_.post([this] { make_and_start({}, nullptr); });
}

void WorkerThread::launch_with_admin(std::string path, AddRoutes add_routes) {
  loop_.post([this, path = std::move(path), add_routes = std::move(add_routes)]() mutable {
    make_and_start(path, std::move(add_routes));
  });
}

void WorkerThread::make_and_start(const std::string& admin_path, AddRoutes add_routes) {
  auto made = service_.make_worker(loop_, index_);
  if (!made) return report(Event::Kind::failed, made.error());
  worker_ = *std::move(made);
  if (add_routes) {
    const Result<void> opened = open_admin_socket(admin_path, std::move(add_routes));
    if (!opened) return report(Event::Kind::failed, opened.error());
  }
  async::spawn(start_worker());
}

Result<void> WorkerThread::open_admin_socket(const std::string& path, AddRoutes add_routes) {
  add_routes(admin_router_);
  worker_->add_admin_routes(admin_router_);
  auto server = http::Server::listen_unix(loop_, path, {0, ::geteuid()}, admin_router_, {});
  if (!server) return fail(server.error());
  admin_ = *std::move(server);
  return {};
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

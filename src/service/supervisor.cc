// Workers up, signals through, workers down.
#include "service/supervisor.h"

#include <unistd.h>

#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"

namespace strongroom::service {
namespace {

constexpr std::chrono::milliseconds kAnswerStep{5};
constexpr int kAnswerSteps = 200;  // a second
constexpr std::chrono::seconds kLeavePatience{1};

// What the workers answer to one /readyz.
struct Answers {
  std::mutex mutex;
  std::size_t missing = 0;
  Readiness all;
};

bool complete(Answers& answers) {
  const std::lock_guard lock(answers.mutex);
  return answers.missing == 0;
}

}  // namespace

Supervisor::Supervisor(Host& host, Service& service, http::UnixListener admin, AdminFacts facts,
                       Wakeups wakeups)
    : host_(host),
      admin_(std::move(admin)),
      facts_(std::move(facts)),
      wakeups_(std::move(wakeups)),
      deployment_(std::shared_ptr<void>(), &host.deployment) {
  for (std::size_t i = 0; i < service.workers(); ++i) {
    threads_.push_back(std::make_unique<WorkerThread>(service, i, wakeups_));
  }
}

Start<void> Supervisor::run() {
  auto served = serve_until_stopped();
  stopping_ = true;
  stop_threads(drain());
  return served;
}

void Supervisor::launch(std::size_t index) {
  ++launched_;
  if (index != 0) return threads_[index]->launch();
  threads_[0]->launch_with_admin(*std::move(admin_), [this](http::Router& router) {
    add_admin_routes(router, facts_, host_.metrics, [this] { return collect(); });
  });
}

Start<void> Supervisor::serve_until_stopped() {
  launch(0);
  while (true) {
    const Wakeups::Wakeup wakeup = wakeups_.wait(std::nullopt);
    for (const Event& event : wakeup.events) {
      if (event.kind == Event::Kind::failed) return start_failure("start", *event.error);
      if (++started_ < threads_.size()) {
        launch(started_);
      } else {
        log::info("serving", {{"workers", started_.load()}});
      }
    }
    if (wakeup.stop) return {};
    if (wakeup.reload) reload(wakeup.reload_user);
  }
}

std::set<std::size_t> Supervisor::drain() {
  log::info("stopping");
  std::set<std::size_t> undrained;
  for (std::size_t i = 0; i < launched_; ++i) {
    threads_[i]->drain();
    undrained.insert(i);
  }
  const auto deadline = std::chrono::steady_clock::now() + kDrainTimeout;
  while (!undrained.empty()) {
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (patience.count() <= 0) break;
    for (const Event& event : wakeups_.wait(patience).events) {
      if (event.kind == Event::Kind::drained) undrained.erase(event.worker);
    }
  }
  return undrained;
}

// Destroying a worker with work under way would pull its parts from under it.
void Supervisor::stop_threads(const std::set<std::size_t>& undrained) {
  cut_off_ = !undrained.empty();
  if (cut_off_) {
    log::warn("drain cut off", {{"workers", undrained.size()}});
    std::thread([] {
      std::this_thread::sleep_for(kLeavePatience);
      ::_exit(kCutOff);
    }).detach();
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (undrained.contains(i)) {
      WorkerThread::abandon(std::move(threads_[i]));
    } else {
      threads_[i]->stop();
    }
  }
}

// Certificates end, whatever is wrong with the file: they are read again in any case.
void Supervisor::reload(const std::string& user) {
  auto read = Deployment::load(host_.deployment.config_path, host_.deployment.program,
                               host_.deployment.instance);
  const bool is_new = read.has_value();
  reload_incomplete_ = !is_new;
  if (is_new) {
    log::set_level(read->log_level);
    // Shared because each worker takes it over in its own time.
    deployment_ = std::make_shared<const Deployment>(*std::move(read));
  } else {
    log::warn("configuration refused", {{"reason", read.error().text()}});
  }
  for (auto& thread : threads_) {
    thread->post([this, deployment = deployment_, is_new, user](Worker* worker) {
      if (worker == nullptr) return;
      const bool all = worker->reload(*deployment) && is_new;
      if (!all) reload_incomplete_ = true;
      worker->record_reload(all, user);
    });
  }
  log::info("reloaded");
}

async::Task<Readiness> Supervisor::collect() {
  // Shared because a worker may answer after the time-out.
  const auto answers = std::make_shared<Answers>();
  answers->missing = threads_.size();
  for (auto& thread : threads_) {
    thread->post([answers](Worker* worker) {
      Readiness own;
      if (worker != nullptr) worker->readiness(own);
      const std::lock_guard lock(answers->mutex);
      answers->all.merge(own);
      --answers->missing;
    });
  }
  for (int step = 0; step < kAnswerSteps && !complete(*answers); ++step) {
    co_await threads_[0]->loop().sleep_for(kAnswerStep);
  }
  const std::lock_guard lock(answers->mutex);
  Readiness all = answers->all;
  if (answers->missing > 0) all.add("workers", false, "a worker does not answer");
  all.add("workers", started_ == threads_.size(), "starting");
  all.add("running", !stopping_, "stopping");
  if (reload_incomplete_) all.warn("not all was taken over at the last SIGHUP: see the log");
  co_return all;
}

}  // namespace strongroom::service

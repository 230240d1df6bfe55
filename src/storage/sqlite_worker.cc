// The worker's queue and its group commit.
#include "storage/sqlite_worker.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "storage/database.h"

namespace strongroom::storage {
namespace {

constexpr std::size_t kGroupMax = 64;            // calls of one transaction
constexpr std::chrono::milliseconds kRest{500};  // between attempts to open the file, or to write

}  // namespace

struct SqliteWorker::Enqueued {
  SqliteWorker& worker;
  Slot& slot;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    slot.waiter = waiter;
    {
      const std::scoped_lock lock(worker.mutex_);
      worker.queue_.push_back(&slot);
    }
    worker.changed_.notify_one();
  }
  void await_resume() const noexcept {}
};

SqliteWorker::SqliteWorker(async::Loop& loop, SqliteFile& file, SqliteAccess access,
                           std::size_t requests_max,
                           std::function<void(SqliteConnection&, int)> on_commit)
    : loop_(loop),
      file_(file),
      access_(access),
      requests_max_(requests_max),
      on_commit_(std::move(on_commit)),
      thread_([this] { serve(); }) {}

SqliteWorker::~SqliteWorker() { stop_thread(); }

async::Task<Result<void>> SqliteWorker::run(Work work) {
  if (closing_) co_return fail({ErrorCode::unavailable, "database is closed"});
  if (requests_ >= requests_max_) co_return fail({ErrorCode::exhausted, "database queue is full"});
  Slot slot{std::move(work)};
  ++requests_;
  co_await Enqueued{*this, slot};
  --requests_;
  co_return slot.outcome;
}

async::Task<void> SqliteWorker::close() {
  closing_ = true;
  Slot last{[](SqliteConnection&) { return Result<void>{}; }};
  co_await Enqueued{*this, last};
  stop_thread();
}

void SqliteWorker::stop_thread() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SqliteWorker::serve() {
  connect();
  for (std::vector<Slot*> group; next_group(group);) {
    if (!connection_) connect();
    look_for_room();
    if (group.empty()) continue;
    settle(group);
    loop_.post([slots = std::exchange(group, {})] {
      for (const Slot* slot : slots) slot->waiter.resume();
    });
  }
  connection_.reset();  // the last connection to close copies the log into the file
}

// Waits for calls; without a connection or room, only until it is time to try again. False: the
// worker stops.
bool SqliteWorker::next_group(std::vector<Slot*>& group) {
  std::unique_lock lock(mutex_);
  const auto wanted = [this] { return stopping_ || !queue_.empty(); };
  if (connection_ && has_room_) {
    changed_.wait(lock, wanted);
  } else {
    changed_.wait_for(lock, kRest, wanted);
  }
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kGroupMax));
  group.assign(queue_.begin(), end);
  queue_.erase(queue_.begin(), end);
  return !group.empty() || !stopping_;
}

void SqliteWorker::connect() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_attempt_) return;
  next_attempt_ = now + kRest;
  auto opened = SqliteConnection::open(file_, access_);
  if (!opened) {
    // Once: it is tried twice a second, perhaps on a disk that is full.
    if (std::exchange(tells_failure_, false)) {
      log::warn("cannot open the database", {{"error", opened.error()}});
    }
    return;
  }
  tells_failure_ = true;
  connection_ = *std::move(opened);
  if (on_commit_) {
    connection_->on_commit([this](int pages) { on_commit_(*connection_, pages); });
  }
  ready_ = true;
}

void SqliteWorker::settle(std::span<Slot*> group) {
  if (connection_ && connection_->file_has_moved()) disconnect();
  if (!connection_) {
    return finish(group, fail({ErrorCode::unavailable, "database file is not open"}));
  }
  if (access_ == SqliteAccess::read) {
    for (Slot* slot : group) slot->outcome = slot->work(*connection_);
  } else if (!commit(group, Fate::shared) && !commit(group, Fate::own)) {
    for (Slot*& slot : group) commit({&slot, 1}, Fate::shared);
  }
  const bool full = std::ranges::any_of(group, [](const Slot* slot) {
    return !slot->outcome && is_disk_full(slot->outcome.error());
  });
  if (full && has_room_.exchange(false)) {
    log::error("the database takes nothing", {{"error", kDiskFull}});
  }
  const bool broken = std::ranges::any_of(group, [](const Slot* slot) {
    return !slot->outcome && (slot->outcome.error().code() == ErrorCode::corrupt ||
                              slot->outcome.error().code() == ErrorCode::unknown_outcome);
  });
  if (broken) disconnect();
}

// What SQLite believes of the file may be wrong: it is opened anew.
void SqliteWorker::disconnect() {
  ready_ = false;
  connection_.reset();
}

// Runs the group in one transaction. False: all of it was rolled back through the fault of one of
// several, and the others deserve another try.
bool SqliteWorker::commit(std::span<Slot*> group, Fate fate) {
  if (auto begun = connection_->run("BEGIN IMMEDIATE"); !begun) {
    finish(group, fail(begun.error()));
    return true;
  }
  for (Slot* slot : group) {
    slot->outcome = fate == Fate::own ? run_in_savepoint(*slot) : slot->work(*connection_);
    if (fate == Fate::shared && !slot->outcome) roll_back();
    if (!connection_->in_transaction()) return group.size() == 1;
  }
  const auto committed = connection_->run("COMMIT");
  if (committed) return true;
  roll_back();
  const bool deferred_constraint = committed.error().code() == ErrorCode::conflict;
  if (deferred_constraint && group.size() > 1) return false;
  // A log whose sync failed may still be read back after a crash. On a full disk the log could not
  // take all of the transaction, and it is the last page that commits.
  const bool is_known = deferred_constraint || is_disk_full(committed.error());
  finish(group, is_known ? fail(committed.error())
                         : fail({ErrorCode::unknown_outcome, "commit failed on the disk"}));
  return true;
}

void SqliteWorker::roll_back() {
  if (connection_->in_transaction()) static_cast<void>(connection_->run("ROLLBACK"));
}

Result<void> SqliteWorker::run_in_savepoint(Slot& slot) {
  SR_CHECK_OK(connection_->run("SAVEPOINT call"));
  auto outcome = slot.work(*connection_);
  if (!connection_->in_transaction()) return outcome;
  if (!outcome) SR_CHECK_OK(connection_->run("ROLLBACK TO call"));
  SR_CHECK_OK(connection_->run("RELEASE call"));
  return outcome;
}

// Writes the first page as it is: a call that goes through may have had nothing to write, and on an
// idle system there is none.
void SqliteWorker::look_for_room() {
  if (has_room_ || !connection_ || !connection_->run("PRAGMA user_version=0")) return;
  has_room_ = true;
  log::info("the database can be written again");
}

// Gives `outcome` to those that have not failed by themselves.
void SqliteWorker::finish(std::span<Slot*> group, const Result<void>& outcome) {
  for (Slot* slot : group) {
    if (slot->outcome) slot->outcome = outcome;
  }
}

}  // namespace strongroom::storage

// SqliteWorker: a thread with one SQLite connection that works calls off for the loop. The writing
// one takes what has queued up meanwhile into one transaction, so that many calls share one sync of
// the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "storage/sqlite_connection.h"

namespace strongroom::storage {

class SqliteWorker {
 public:
  // Work runs on the worker's thread, perhaps twice (then the first time was rolled back): it
  // assigns its results, it does not add to them.
  using Work = std::move_only_function<Result<void>(SqliteConnection&)>;

  // `on_commit` is called on the worker's thread (see SqliteConnection); `loop` and `file` outlive
  // *this.
  SqliteWorker(async::Loop& loop, SqliteFile& file, SqliteAccess access, std::size_t requests_max,
               std::function<void(SqliteConnection&, int pages)> on_commit);
  ~SqliteWorker();
  SqliteWorker(const SqliteWorker&) = delete;
  SqliteWorker& operator=(const SqliteWorker&) = delete;

  // Runs `work`; of the writing worker, within a transaction that is durable on return, and with
  // its own fate: what it did is undone if and only if the outcome is an error (other than
  // unknown_outcome).
  [[nodiscard]] async::Task<Result<void>> run(Work work);
  [[nodiscard]] bool ready() const noexcept { return ready_; }
  // False from a commit that found the disk full until a page could be written.
  [[nodiscard]] bool has_room() const noexcept { return has_room_; }
  // Lets what was queued end, then ends the thread.
  [[nodiscard]] async::Task<void> close();

 private:
  struct Slot {
    Work work;
    Result<void> outcome{};
    std::coroutine_handle<> waiter{};
  };
  struct Enqueued;
  // What a call that fails takes with it. SQLite keeps a savepoint's pages in a list that it walks
  // at the end of each statement: calls of thousands of rows spend a third of their time there.
  enum class Fate : std::uint8_t {
    shared,  // the whole transaction
    own,     // itself: calls are in savepoints
  };

  void serve();
  bool next_group(std::vector<Slot*>& group);
  void connect();
  void disconnect();
  void settle(std::span<Slot*> group);
  bool commit(std::span<Slot*> group, Fate fate);
  void roll_back();
  Result<void> run_in_savepoint(Slot& slot);
  void finish(std::span<Slot*> group, const Result<void>& outcome);
  void look_for_room();
  void stop_thread();

  async::Loop& loop_;
  SqliteFile& file_;
  const SqliteAccess access_;
  const std::size_t requests_max_;
  std::function<void(SqliteConnection&, int)> on_commit_;
  std::size_t requests_ = 0;  // the loop's thread only, like closing_
  bool closing_ = false;

  std::unique_ptr<SqliteConnection> connection_;  // the worker's thread only, as these two
  std::chrono::steady_clock::time_point next_attempt_{};
  bool tells_failure_ = true;  // the next failed attempt is the first
  std::atomic<bool> ready_{false};
  std::atomic<bool> has_room_{true};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Slot*> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strongroom::storage

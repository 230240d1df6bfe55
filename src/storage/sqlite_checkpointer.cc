// The thread that copies the write-ahead log.
#include "storage/sqlite_checkpointer.h"

namespace strongroom::storage {
namespace {

constexpr int kPagesWanted = 1'000;  // 4 MiB
constexpr int kPagesMax = 4'096;     // 16 MiB

}  // namespace

SqliteCheckpointer::SqliteCheckpointer(SqliteFile& file)
    : file_(file), thread_([this] { serve(); }) {}

SqliteCheckpointer::~SqliteCheckpointer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SqliteCheckpointer::committed(SqliteConnection& writer, int pages) {
  if (pages < kPagesWanted) return;
  if (pages >= kPagesMax) return writer.checkpoint();
  {
    const std::scoped_lock lock(mutex_);
    wanted_ = true;
  }
  changed_.notify_one();
}

void SqliteCheckpointer::serve() {
  std::unique_ptr<SqliteConnection> connection;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return wanted_ || stopping_; });
    if (stopping_) return;
    wanted_ = false;
    lock.unlock();
    if (!connection) {
      // Without a connection the writer copies the log when it is long; the next commit asks again.
      if (auto opened = SqliteConnection::open(file_, SqliteAccess::write)) {
        connection = *std::move(opened);
      }
    }
    if (connection) connection->checkpoint();
    lock.lock();
  }
}

}  // namespace strongroom::storage

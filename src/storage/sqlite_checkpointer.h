// SqliteCheckpointer: copies the write-ahead log into the file on a thread of its own. Left to
// itself, SQLite does it inside a commit, which then takes many times as long.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/sqlite_connection.h"

namespace strongroom::storage {

class SqliteCheckpointer {
 public:
  // `file` outlives *this.
  explicit SqliteCheckpointer(SqliteFile& file);
  ~SqliteCheckpointer();
  SqliteCheckpointer(const SqliteCheckpointer&) = delete;
  SqliteCheckpointer& operator=(const SqliteCheckpointer&) = delete;

  // To be called after each commit, with the writing connection and the pages in the log. When the
  // log has outgrown what the thread can copy meanwhile, the writer copies it itself, and so is
  // held back.
  void committed(SqliteConnection& writer, int pages);

 private:
  void serve();

  SqliteFile& file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strongroom::storage

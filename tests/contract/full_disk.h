// FullDisk: while one is full, SQLite finds no space for what it writes, as on a full disk. SQLite
// takes its system calls from a table in which a program may replace them.
#pragma once

namespace strongroom::storage {

// One at a time; made before the first connection, and destroyed after the last.
class FullDisk {
 public:
  FullDisk();
  ~FullDisk();
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

  void fill() noexcept;
  void make_room() noexcept;
};

}  // namespace strongroom::storage

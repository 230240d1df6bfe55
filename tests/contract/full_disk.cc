#include "contract/full_disk.h"

#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/try.h"

namespace strongroom::storage {
namespace {

std::atomic<bool> is_full = false;

ssize_t refuse() {
  errno = ENOSPC;
  return -1;
}
ssize_t limited_write(int file, const void* bytes, std::size_t size) {
  return is_full ? refuse() : ::write(file, bytes, size);
}
ssize_t limited_pwrite(int file, const void* bytes, std::size_t size, off_t offset) {
  return is_full ? refuse() : ::pwrite(file, bytes, size, offset);
}

// Which of them SQLite calls is a choice of whoever built it.
void replace(const char* name, sqlite3_syscall_ptr call) {
  sqlite3_vfs* const files = sqlite3_vfs_find("unix");
  SR_CHECK(files != nullptr);
  const int replaced = files->xSetSystemCall(files, name, call);
  SR_CHECK(replaced == SQLITE_OK || replaced == SQLITE_NOTFOUND);
}

}  // namespace

FullDisk::FullDisk() {
  replace("write", reinterpret_cast<sqlite3_syscall_ptr>(&limited_write));
  replace("pwrite", reinterpret_cast<sqlite3_syscall_ptr>(&limited_pwrite));
  replace("pwrite64", reinterpret_cast<sqlite3_syscall_ptr>(&limited_pwrite));
}

FullDisk::~FullDisk() {
  make_room();
  for (const char* const name : {"write", "pwrite", "pwrite64"}) replace(name, nullptr);
}

void FullDisk::fill() noexcept { is_full = true; }
void FullDisk::make_room() noexcept { is_full = false; }

}  // namespace strongroom::storage

// Files the daemons keep beside their database: configuration, secrets, state that must survive a
// power cut, and the lock that makes an instance the only writer of its folder. All calls block.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom {

// The content of a regular file. not_found, permission_denied; too_large beyond `size_bytes_max`;
// invalid_argument when `path` is no regular file; unavailable (detail: errno) otherwise.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t size_bytes_max);

// The content of a file that only its owner can read, without the newline that an editor left at
// its end, read straight into secret memory. permission_denied also when group or others have any
// right on it or when it belongs neither to this process's user nor to root; exhausted when secret
// memory is used up; else as read_file.
[[nodiscard]] Result<SecretBytes> read_secret_file(const std::string& path,
                                                   std::size_t size_bytes_max);

// Replaces `path` by a file with `bytes` and exactly the permission bits `mode`. Readers see the
// old file or the new one, also after a crash; durable on return (file, name and folder are
// synced). On failure `path` is as it was, or, when it was the folder that could not be synced, new
// but perhaps not after a crash. A process killed meanwhile leaves `path`.XXXXXX, which nobody
// reads. not_found (no such folder), permission_denied, exhausted (no space), unavailable.
[[nodiscard]] Result<void> write_file_durable(const std::string& path,
                                              std::span<const std::byte> bytes, mode_t mode);

// Writes all of `bytes` to `fd`, which stays open. On failure some may be written.
// permission_denied, exhausted (no space), unavailable; each with the errno as detail.
[[nodiscard]] Result<void> write_full(int fd, std::span<const std::byte> bytes);

// FileLock is the writer lock of an instance: while one lives, no other process (and no other
// FileLock of this one) gets it. The kernel frees it when the process ends, however it ends. The
// file holds the owner's process id for people to read (unless the disk is full), and stays when
// the lock is freed.
class FileLock {
 public:
  // Takes the lock of `path`, made with mode 0600 if absent. conflict at once when it is held;
  // not_found, permission_denied, unavailable.
  [[nodiscard]] static Result<FileLock> acquire(const std::string& path);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) noexcept : fd_(fd) {}
  int fd_;
};

}  // namespace strongroom

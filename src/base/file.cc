// The order of system calls in write_file_durable follows Pillai et al., "All File Systems Are Not
// Created Equal" (OSDI 2014): data, then name, then folder.
#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// The error of a failed system call on a file.
Error file_error(int number) {
  const auto detail = static_cast<std::uint32_t>(number);
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return Error(ErrorCode::not_found, "no such file").with_detail(detail);
    case EACCES:
    case EPERM:
    case EROFS:
      return Error(ErrorCode::permission_denied, "file access denied").with_detail(detail);
    case ENOSPC:
    case EDQUOT:
      return Error(ErrorCode::exhausted, "no space on the disk").with_detail(detail);
    default:
      return Error(ErrorCode::unavailable, "file operation failed").with_detail(detail);
  }
}

struct OpenFile {
  Descriptor descriptor;
  struct stat status;
};

Result<OpenFile> open_regular(const std::string& path, std::size_t size_bytes_max) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer; it has no effect on regular files.
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return fail(file_error(errno));
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return fail(file_error(errno));
  if (!S_ISREG(status.st_mode)) return fail({ErrorCode::invalid_argument, "not a regular file"});
  if (static_cast<std::size_t>(status.st_size) > size_bytes_max) {
    return fail({ErrorCode::too_large, "file is too large"});
  }
  return OpenFile{std::move(descriptor), status};
}

// Fills `out` from the file; the number of bytes read, less than out.size() only at the file's end.
Result<std::size_t> read_full(int fd, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::read(fd, out.data() + done, out.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(file_error(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> fill_and_sync(int fd, std::span<const std::byte> bytes, mode_t mode) {
  SR_CHECK_OK(write_full(fd, bytes));
  // fchmod, because the mode of open(2) is cut by the process's umask.
  if (::fchmod(fd, mode) != 0 || ::fsync(fd) != 0) return fail(file_error(errno));
  return {};
}

Result<void> sync_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) return fail(file_error(errno));
  return {};
}

}  // namespace

Result<void> write_full(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(file_error(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<std::string> read_file(const std::string& path, std::size_t size_bytes_max) {
  SR_TRY(const OpenFile file, open_regular(path, size_bytes_max));
  std::string content(static_cast<std::size_t>(file.status.st_size), '\0');
  SR_TRY(const std::size_t size,
         read_full(file.descriptor.get(), std::as_writable_bytes(std::span(content))));
  content.resize(size);
  return content;
}

Result<SecretBytes> read_secret_file(const std::string& path, std::size_t size_bytes_max) {
  SR_TRY(const OpenFile file, open_regular(path, size_bytes_max));
  if ((file.status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail({ErrorCode::permission_denied, "secret file is open to group or others"});
  }
  if (file.status.st_uid != ::geteuid() && file.status.st_uid != 0) {
    return fail({ErrorCode::permission_denied, "secret file belongs to another user"});
  }
  SR_TRY(SecretBytes content, SecretBytes::allocate(static_cast<std::size_t>(file.status.st_size)));
  SR_TRY(std::size_t size, read_full(file.descriptor.get(), content.reveal()));
  if (size > 0 && content.reveal()[size - 1] == std::byte{'\n'}) --size;
  content.shrink(size);
  return content;
}

Result<void> write_file_durable(const std::string& path, std::span<const std::byte> bytes,
                                mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor descriptor(::mkostemp(temporary.data(), O_CLOEXEC));
  if (descriptor.get() < 0) return fail(file_error(errno));
  Result<void> done = fill_and_sync(descriptor.get(), bytes, mode);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = fail(file_error(errno));
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync_folder(path);
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (descriptor.get() < 0) return fail(file_error(errno));
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail({ErrorCode::conflict, "the lock is held by another process"});
    return fail(file_error(errno));
  }
  // The lock is the flock. A full disk must not keep a process from starting for want of the
  // number.
  if (::ftruncate(descriptor.get(), 0) == 0) {
    static_cast<void>(write_full(descriptor.get(), as_bytes(std::to_string(::getpid()) + "\n")));
  }
  return FileLock(descriptor.release());
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace strongroom

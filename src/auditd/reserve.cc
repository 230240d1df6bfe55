// Reserve.
#include "auditd/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/try.h"

namespace strongroom::auditd {
namespace {

constexpr std::uint64_t kSteps = 8;

std::unexpected<Error> fail_errno(Error error, int number) {
  return fail(error.with_detail(static_cast<std::uint32_t>(number)));
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : number_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace

bool disk_is_full(std::uint32_t error_number) noexcept {
  return error_number == ENOSPC || error_number == EDQUOT;
}

Result<std::uint64_t> free_bytes(const std::string& directory) {
  struct statvfs disk{};
  if (::statvfs(directory.c_str(), &disk) == 0) return disk.f_bavail * disk.f_frsize;
  return fail_errno({ErrorCode::unavailable, "cannot ask for the room on a disk"}, errno);
}

Reserve::Reserve(std::string directory, std::uint64_t size_bytes)
    : directory_(std::move(directory)), path_(directory_ + "/reserve"), size_bytes_(size_bytes) {}

Result<Reserve> Reserve::open(std::string directory, std::uint64_t size_bytes) {
  Reserve reserve(std::move(directory), size_bytes);
  if (size_bytes == 0) {
    if (::unlink(reserve.path_.c_str()) == 0 || errno == ENOENT) return reserve;
    return fail_errno({ErrorCode::unavailable, "cannot remove the audit reserve"}, errno);
  }
  struct stat status{};
  if (::stat(reserve.path_.c_str(), &status) == 0) {
    reserve.left_bytes_ = static_cast<std::uint64_t>(status.st_size);
  }
  reserve.released_ = reserve.left_bytes_ > 0 && reserve.left_bytes_ < size_bytes;
  const Result<void> filled = reserve.fill();
  if (!filled && filled.error().code() != ErrorCode::exhausted) {
    return std::unexpected(filled.error());
  }
  return reserve;
}

Room Reserve::room() const noexcept {
  if (!released_) return Room::everyone;
  return left_bytes_ > size_bytes_ / kSteps ? Room::reserve_writers : Room::auditd;
}

Result<void> Reserve::release() {
  if (left_bytes_ == 0) return fail({ErrorCode::exhausted, "audit reserve is used up"});
  const Descriptor file(path_);
  const std::uint64_t left = left_bytes_ - std::min(left_bytes_, size_bytes_ / kSteps);
  if (::ftruncate(file.number(), static_cast<off_t>(left)) != 0) {
    return fail_errno({ErrorCode::unavailable, "cannot release the audit reserve"}, errno);
  }
  left_bytes_ = left;
  released_ = true;
  return {};
}

Result<void> Reserve::fill() {
  const std::uint64_t kept = std::min(left_bytes_, size_bytes_);
  SR_TRY(const std::uint64_t free, free_bytes(directory_));
  if (kept < size_bytes_ && free < size_bytes_ - kept + kReserveMarginBytes) {
    return fail({ErrorCode::exhausted, "no room on the disk for the audit reserve"});
  }
  const Descriptor file(path_);
  int error = ::ftruncate(file.number(), static_cast<off_t>(kept)) == 0 ? 0 : errno;
  if (error == 0 && kept < size_bytes_) {
    error = ::posix_fallocate(file.number(), 0, static_cast<off_t>(size_bytes_));
  }
  if (disk_is_full(static_cast<std::uint32_t>(error)) &&
      ::ftruncate(file.number(), static_cast<off_t>(kept)) == 0) {
    return fail({ErrorCode::exhausted, "no room on the disk for the audit reserve"});
  }
  if (error != 0) {
    return fail_errno({ErrorCode::unavailable, "cannot take the audit reserve"}, error);
  }
  left_bytes_ = size_bytes_;
  released_ = false;
  return {};
}

}  // namespace strongroom::auditd

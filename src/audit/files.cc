// PosixFiles and ImmutableFiles.
#include "audit/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

std::unexpected<Error> fail_errno(Error error) {
  return fail(error.with_detail(static_cast<std::uint32_t>(errno)));
}

class PosixFile final : public File {
 public:
  explicit PosixFile(int descriptor) : descriptor_(descriptor) {}
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) {
      return fail_errno({ErrorCode::unavailable, "cannot stat a file"});
    }
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    std::size_t total = 0;
    while (total < out.size()) {
      const ssize_t got = ::pread(descriptor_, out.data() + total, out.size() - total,
                                  static_cast<off_t>(offset + total));
      if (got == 0) break;
      if (got > 0) total += static_cast<std::size_t>(got);
      if (got < 0 && errno != EINTR) {
        return fail_errno({ErrorCode::unavailable, "cannot read a file"});
      }
    }
    return total;
  }

  Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t put =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno != EINTR) {
        return fail_errno({ErrorCode::unavailable, "cannot write a file"});
      }
      if (put <= 0) continue;
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(descriptor_) == 0) return {};
    return fail_errno({ErrorCode::unavailable, "cannot sync a file"});
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) == 0) return {};
    return fail_errno({ErrorCode::unavailable, "cannot truncate a file"});
  }

 private:
  int descriptor_;
};

// The names of `type` (readdir's) in `directory`, ascending.
Result<std::vector<std::string>> names_in(const std::string& directory, unsigned char type) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
  if (!stream) return fail_errno({ErrorCode::unavailable, "cannot list a folder"});
  std::vector<std::string> names;
  errno = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this call's own
  while (const dirent* item = ::readdir(stream.get())) {
    if (item->d_type == type) names.emplace_back(item->d_name);
  }
  if (errno != 0) return fail_errno({ErrorCode::unavailable, "cannot list a folder"});
  std::ranges::sort(names);
  return names;
}

Result<void> sync_folder(const std::string& directory, int (*sync)(int)) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno({ErrorCode::unavailable, "cannot open a folder"});
  const bool synced = sync(descriptor) == 0;
  const std::uint32_t error = static_cast<std::uint32_t>(errno);
  ::close(descriptor);
  if (synced) return {};
  return fail(Error{ErrorCode::unavailable, "cannot sync a folder"}.with_detail(error));
}

// Whether the file has the attribute afterwards as `immutable` says. The kernel takes and gives an
// int, whatever the request's name says.
bool change_immutable(int descriptor, bool immutable) {
  unsigned flags = 0;
  if (::ioctl(descriptor, FS_IOC_GETFLAGS, &flags) != 0) return false;
  const unsigned wanted =
      immutable ? flags | unsigned{FS_IMMUTABLE_FL} : flags & ~unsigned{FS_IMMUTABLE_FL};
  return wanted == flags || ::ioctl(descriptor, FS_IOC_SETFLAGS, &wanted) == 0;
}

}  // namespace

bool Files::has_immutable(const std::string&) { return false; }

void Files::close_for_good(const std::string& path) {
  if (!set_immutable(path, true)) ++left_mutable_;
}

Result<void> Files::set_immutable(const std::string&, bool) {
  return fail({ErrorCode::unavailable, "no file is immutable here"});
}

// Where the attribute cannot be taken away, remove() says so.
Result<void> remove_immutable(Files& files, const std::string& path) {
  (void)files.set_immutable(path, false);
  return files.remove(path);
}

Result<std::string> read_text(Files& files, const std::string& path, std::size_t bytes_max) {
  SR_TRY(const auto file, files.open(path, OpenMode::read));
  SR_TRY(const std::uint64_t size, file->size());
  if (size > bytes_max) return fail({ErrorCode::too_large, "file is too long"});
  std::string text(size, '\0');
  SR_TRY(const std::size_t got, file->read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return text;
}

Result<std::unique_ptr<File>> PosixFiles::open(const std::string& path, OpenMode mode) {
  int flags = O_CLOEXEC | O_NOFOLLOW;
  flags |= mode == OpenMode::read ? O_RDONLY : O_RDWR;
  if (mode == OpenMode::create) flags |= O_CREAT | O_EXCL;
  const int descriptor = ::open(path.c_str(), flags, 0640);
  if (descriptor >= 0) return std::make_unique<PosixFile>(descriptor);
  if (errno == ENOENT) return fail_errno({ErrorCode::not_found, "no such file"});
  if (errno == EEXIST) return fail_errno({ErrorCode::conflict, "file exists"});
  return fail_errno({ErrorCode::unavailable, "cannot open a file"});
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& directory) {
  return names_in(directory, DT_REG);
}

Result<std::vector<std::string>> PosixFiles::list_folders(const std::string& directory) {
  if (::access(directory.c_str(), F_OK) != 0 && errno == ENOENT) {
    return fail_errno({ErrorCode::not_found, "no such folder"});
  }
  SR_TRY(auto names, names_in(directory, DT_DIR));
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  return names;
}

Result<void> PosixFiles::make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST) return {};
  return fail_errno({ErrorCode::unavailable, "cannot make a folder"});
}

Result<void> PosixFiles::replace(const std::string& path, std::span<const std::byte> bytes) {
  return write_file_durable(path, bytes, 0640);
}

Result<void> PosixFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return {};
  if (errno == ENOENT) return fail_errno({ErrorCode::not_found, "no such file"});
  return fail_errno({ErrorCode::unavailable, "cannot remove a file"});
}

Result<void> PosixFiles::sync_all(const std::string& directory) {
  return sync_folder(directory, &::syncfs);
}

Result<void> PosixFiles::sync_directory(const std::string& directory) {
  return sync_folder(directory, &::fsync);
}

bool ImmutableFiles::has_immutable(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (descriptor < 0) return false;
  const bool works = change_immutable(descriptor, true);
  ::close(descriptor);
  return works;
}

Result<void> ImmutableFiles::set_immutable(const std::string& path, bool immutable) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return fail({ErrorCode::not_found, "no such file"});
  if (descriptor < 0) return fail_errno({ErrorCode::unavailable, "cannot open a file"});
  const bool changed = change_immutable(descriptor, immutable);
  const std::uint32_t error = static_cast<std::uint32_t>(errno);
  ::close(descriptor);
  if (changed) return {};
  return fail(Error{ErrorCode::unavailable, "cannot set or end immutability"}.with_detail(error));
}

}  // namespace strongroom::audit

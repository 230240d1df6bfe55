// Files: the file system as the journal sees it, so that a test can make the n-th call fail or cut
// it short. PosixFiles is the real one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace strongroom::audit {

// One open file. Errors: unavailable, with the errno as detail. One thread at a time.
class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
  // Bytes read into `out`; fewer than its size only at the end of the file.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset,
                                                 std::span<std::byte> out) = 0;
  // Writes all of `bytes`. After an error any part of them may be in the file.
  [[nodiscard]] virtual Result<void> write(std::uint64_t offset,
                                           std::span<const std::byte> bytes) = 0;
  // Content and size are durable when it returns (fdatasync). After an error what was written since
  // the last success may be lost although a later read shows it.
  [[nodiscard]] virtual Result<void> sync() = 0;
  [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
};

enum class OpenMode : std::uint8_t { read, write, create };  // create: mode 0640, must not exist

class Files {
 public:
  virtual ~Files() = default;
  // not_found, conflict (create: it exists), unavailable.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path,
                                                           OpenMode mode) = 0;
  // Names of the regular files in `directory`, ascending. unavailable.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  // Names of the folders in `directory`, ascending. not_found, unavailable.
  [[nodiscard]] virtual Result<std::vector<std::string>> list_folders(
      const std::string& directory) = 0;
  // Makes a folder, mode 0750, unless it is there. unavailable.
  [[nodiscard]] virtual Result<void> make_folder(const std::string& path) = 0;
  // As write_file_durable() of base/file.h, mode 0640. unavailable.
  [[nodiscard]] virtual Result<void> replace(const std::string& path,
                                             std::span<const std::byte> bytes) = 0;
  // not_found, unavailable.
  [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
  // All that was written so far to files in the file system that holds `directory` is durable when
  // it returns (syncfs). unavailable.
  [[nodiscard]] virtual Result<void> sync_all(const std::string& directory) = 0;
  // Names made or removed in `directory` are durable when it returns.
  [[nodiscard]] virtual Result<void> sync_directory(const std::string& directory) = 0;
  // Whether set_immutable() works there; here it does not.
  [[nodiscard]] virtual bool has_immutable(const std::string& directory);
  // While a file is immutable nobody can write, truncate, rename or remove it; this ends it, too.
  // Not durable by itself. not_found, unavailable.
  [[nodiscard]] virtual Result<void> set_immutable(const std::string& path, bool immutable);
  // Makes a file immutable that is closed for good. Nothing depends on it, so a failure is counted
  // and no more. Thread-safe, as the count is.
  void close_for_good(const std::string& path);
  [[nodiscard]] std::uint64_t left_mutable() const noexcept { return left_mutable_; }

 private:
  std::atomic<std::uint64_t> left_mutable_{0};
};

// The whole content of a file. not_found; too_large: beyond `bytes_max`; unavailable.
[[nodiscard]] Result<std::string> read_text(Files& files, const std::string& path,
                                            std::size_t bytes_max);
// Files::remove() for a file that may be immutable.
[[nodiscard]] Result<void> remove_immutable(Files& files, const std::string& path);

// The operating system's files; none is ever immutable. Thread-safe.
class PosixFiles : public Files {
 public:
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override;
  [[nodiscard]] Result<std::vector<std::string>> list_folders(
      const std::string& directory) override;
  [[nodiscard]] Result<void> make_folder(const std::string& path) override;
  [[nodiscard]] Result<void> replace(const std::string& path,
                                     std::span<const std::byte> bytes) override;
  [[nodiscard]] Result<void> remove(const std::string& path) override;
  [[nodiscard]] Result<void> sync_all(const std::string& directory) override;
  [[nodiscard]] Result<void> sync_directory(const std::string& directory) override;
};

// PosixFiles for the log's owner. Immutable is what Linux calls so (chattr +i, FS_IMMUTABLE_FL):
// the file system must have it and the process CAP_LINUX_IMMUTABLE. Thread-safe.
class ImmutableFiles final : public PosixFiles {
 public:
  // Tries it on a file without a name.
  [[nodiscard]] bool has_immutable(const std::string& directory) override;
  [[nodiscard]] Result<void> set_immutable(const std::string& path, bool immutable) override;
};

}  // namespace strongroom::audit

// DyingFiles: the disk of a process that is killed at the n-th change it makes. It has immutable
// files, whoever runs the test.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "audit/files.h"
#include "base/try.h"

namespace strongroom::auditd {

class DyingFiles final : public audit::PosixFiles {
 public:
  // Which files are immutable outlives the process.
  using Immutable = std::set<std::string>;
  explicit DyingFiles(Immutable& immutable) : immutable_(immutable) {}
  void kill_after(int changes) { left_ = changes; }
  [[nodiscard]] bool dead() const { return left_ < 0; }

  Result<std::unique_ptr<audit::File>> open(const std::string& path,
                                            audit::OpenMode mode) override {
    if (mode == audit::OpenMode::write && immutable_.contains(path)) return fail(kImmutable);
    if (mode == audit::OpenMode::create) SR_CHECK_OK(change());
    SR_TRY(auto file, PosixFiles::open(path, mode));
    return std::make_unique<DyingFile>(std::move(file), *this);
  }
  Result<void> make_folder(const std::string& path) override {
    SR_CHECK_OK(change());
    return PosixFiles::make_folder(path);
  }
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) override {
    SR_CHECK_OK(change());
    return PosixFiles::replace(path, bytes);
  }
  Result<void> remove(const std::string& path) override {
    if (immutable_.contains(path)) return fail(kImmutable);
    SR_CHECK_OK(change());
    return PosixFiles::remove(path);
  }
  bool has_immutable(const std::string&) override { return true; }
  Result<void> set_immutable(const std::string& path, bool immutable) override {
    SR_CHECK_OK(PosixFiles::open(path, audit::OpenMode::read));
    SR_CHECK_OK(change());
    if (immutable) immutable_.insert(path);
    if (!immutable) immutable_.erase(path);
    return {};
  }
  Result<void> sync_directory(const std::string& path) override {
    SR_CHECK_OK(change());
    return PosixFiles::sync_directory(path);
  }

 private:
  class DyingFile final : public audit::File {
   public:
    DyingFile(std::unique_ptr<audit::File> file, DyingFiles& disk)
        : file_(std::move(file)), disk_(disk) {}
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
      return file_->read(offset, out);
    }
    // The last write gets half way.
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
      const Result<void> alive = disk_.change();
      if (!alive && disk_.left_ == -1) (void)file_->write(offset, bytes.first(bytes.size() / 2));
      SR_CHECK_OK(alive);
      return file_->write(offset, bytes);
    }
    Result<void> sync() override {
      SR_CHECK_OK(disk_.change());
      return file_->sync();
    }
    Result<void> truncate(std::uint64_t size) override {
      SR_CHECK_OK(disk_.change());
      return file_->truncate(size);
    }

   private:
    std::unique_ptr<audit::File> file_;
    DyingFiles& disk_;
  };
  Result<void> change() {
    if (left_ > 0) {
      --left_;
      return {};
    }
    left_ = left_ == 0 ? -1 : -2;
    return fail({ErrorCode::unavailable, "the process is dead"});
  }

  static constexpr Error kImmutable{ErrorCode::unavailable, "file is immutable"};
  static constexpr int kForEver = 1'000'000;
  Immutable& immutable_;
  std::atomic<int> left_ = kForEver;
};

}  // namespace strongroom::auditd

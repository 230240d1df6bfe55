// PartFiles: the files within a part as a read-only file system, so that a log is verified where it
// lies, encrypted, and never stands on a disk in clear for that.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "audit/files.h"
#include "backup/manifest.h"
#include "backup/part.h"

namespace strongroom::backup {

// One thread. Paths are those of the part's files.
class PartFiles final : public audit::Files {
 public:
  PartFiles(PartReader reader, const Part& part);

  // The content of the file at `path`, from its first byte on. not_found.
  [[nodiscard]] Result<std::unique_ptr<audit::File>> open(const std::string& path,
                                                          audit::OpenMode mode) override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override;
  [[nodiscard]] Result<std::vector<std::string>> list_folders(
      const std::string& directory) override;
  // Nothing is ever written: unavailable.
  [[nodiscard]] Result<void> make_folder(const std::string& path) override;
  [[nodiscard]] Result<void> replace(const std::string& path,
                                     std::span<const std::byte> bytes) override;
  [[nodiscard]] Result<void> remove(const std::string& path) override;
  [[nodiscard]] Result<void> sync_all(const std::string& directory) override;
  [[nodiscard]] Result<void> sync_directory(const std::string& directory) override;

 private:
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
  };
  PartReader reader_;
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace strongroom::backup

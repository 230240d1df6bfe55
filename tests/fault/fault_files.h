// FaultFiles: a file system in memory that fails on command and forgets as a disk does when the
// power goes: of every file, each sector that was not synced is the old one or the new one, and a
// name made or removed since the folder was synced is there or not. A folder, once made, stays.
// What is immutable withstands.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "audit/files.h"

namespace strongroom::audit {

inline constexpr std::size_t kSectorBytes = 512;

class FaultFiles final : public Files {
 public:
  // What happens at the `number`-th changing call (0 is the first): it fails, and so do the `more`
  // calls after it. A failing write has written half of its bytes; a failing sync loses what it was
  // to write although reads still show it.
  struct Plan {
    std::size_t number;
    std::size_t more = 0;
  };

  explicit FaultFiles(std::optional<Plan> plan = std::nullopt) : plan_(plan) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::vector<std::string>> list_folders(const std::string& directory) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_all(const std::string& directory) override;
  Result<void> sync_directory(const std::string& directory) override;
  bool has_immutable(const std::string&) override { return true; }
  Result<void> set_immutable(const std::string& path, bool immutable) override;

  // Changing calls so far.
  [[nodiscard]] std::size_t calls() const { return calls_; }
  [[nodiscard]] std::size_t syncs() const { return syncs_; }
  // The power goes and comes back: nothing fails any more. Open files are of no more use.
  void lose_power(std::uint32_t seed);

 private:
  friend class FaultFile;
  struct Node {
    std::vector<std::byte> now;
    std::vector<std::byte> durable;
    std::set<std::size_t> dirty;  // sectors of `now` that a sync will write
    bool size_is_dirty = false;
    bool name_is_durable = false;
    bool immutable = false;  // the power may take it
  };
  // Counts one changing call; true when it shall fail.
  bool strikes();

  std::optional<Plan> plan_;
  std::size_t calls_ = 0;
  std::size_t syncs_ = 0;
  std::map<std::string, std::shared_ptr<Node>> nodes_;  // shared with the open files
  std::set<std::string> folders_;
  std::map<std::string, std::shared_ptr<Node>> removed_;  // may come back with the power
};

}  // namespace strongroom::audit

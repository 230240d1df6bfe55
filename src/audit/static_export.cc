// Checks an export.
#include "audit/static_export.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "audit/entry_names.h"
#include "audit/entry_view.h"
#include "audit/logs.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

std::string owner_of(const std::string& log) { return log.substr(0, log.find('/')); }

// The folders <owner>/<shard>; the operator's last, for they tell of the others.
std::vector<std::string> logs_in(const fs::path& folder) {
  std::vector<std::string> logs;
  std::error_code error;
  for (const auto& owner : fs::directory_iterator(folder, error)) {
    if (!owner.is_directory(error)) continue;
    for (const auto& shard : fs::directory_iterator(owner.path(), error)) {
      if (shard.is_directory(error)) logs.push_back(fs::relative(shard.path(), folder).string());
    }
  }
  std::ranges::sort(
      logs, {}, [](const std::string& log) { return std::pair(owner_of(log) == kOperator, log); });
  return logs;
}

// The first file in `folder` that is none of `known`.
std::string strange_file(const fs::path& folder, const std::set<std::string>& known) {
  std::set<std::string> strange;
  std::error_code error;
  for (const auto& each : fs::recursive_directory_iterator(folder, error)) {
    if (each.is_directory(error)) continue;
    std::string path = fs::relative(each.path(), folder, error).string();
    if (!known.contains(path)) strange.insert(std::move(path));
  }
  return strange.empty() ? std::string() : *strange.begin();
}

class ExportCheck {
 public:
  ExportCheck(Files& files, std::string folder, NoteKey key, std::string place,
              const StaticExportCallback& progress)
      : files_(files),
        folder_(std::move(folder)),
        key_(std::move(key)),
        place_(std::move(place)),
        progress_(progress) {}

  Result<StaticExport> run() {
    const std::vector<std::string> logs = logs_in(folder_);
    if (files_.open(fmt::format("{}/{}", folder_, kUnfinishedName), OpenMode::read)) {
      bad("unfinished export: run strongroom audit export again", std::string(kUnfinishedName));
      return std::move(result_);
    }
    if (logs.empty()) bad("holds no log", folder_);
    if (!result_.bad) check_owners(logs);
    for (const std::string& log : logs) {
      if (!result_.bad) SR_CHECK_OK(check_log(log));
    }
    if (!result_.bad) check_vkey(std::string(kExportVkey), key_.name);
    if (!result_.bad) SR_CHECK_OK(compare_waiting());
    if (result_.bad) return std::move(result_);
    std::string strange = strange_file(folder_, known_);
    if (!strange.empty()) bad("belongs to no checkpoint", std::move(strange));
    return std::move(result_);
  }

 private:
  void bad(std::string_view what, std::string path) {
    result_.bad = BadExport{.what = what, .path = std::move(path)};
  }

  void check_owners(const std::vector<std::string>& logs) {
    result_.complete = owner_of(logs.back()) == kOperator;
    const bool one_owner = owner_of(logs.front()) == owner_of(logs.back());
    if (!result_.complete && !one_owner) {
      bad("the operator's logs, which tell of the others, are missing", std::string(kOperator));
    }
  }

  Result<void> check_log(const std::string& log) {
    NoteKey key = key_;
    key.name = fmt::format("{}/{}", place_, log);
    SR_TRY(const NoteVerifier verifier, NoteVerifier::create(key));
    Result<void> compared;
    StaticTreeCallbacks callbacks{
        .progress = {}, .entry = [&](std::uint64_t index, std::span<const std::byte> entry) {
          if (compared && !told_) compared = compare(log, index, as_text(entry));
        }};
    if (progress_) {
      callbacks.progress = [&](std::uint64_t done, std::uint64_t total) {
        progress_(log, done, total);
      };
    }
    SR_TRY(auto tree, verify_static_tree(files_, path_of(log), verifier, callbacks));
    if (tree.bad) {
      bad(tree.bad->what, fmt::format("{}/{}", log, tree.bad->path));
      return {};
    }
    SR_CHECK_OK(compared);
    check_vkey(fmt::format("{}/{}", log, kStaticVkey), key.name);
    if (!result_.bad) result_.bad = std::move(told_);
    for (const std::string& path : static_tree_paths(tree.checkpoint.size, tree.gaps)) {
      known_.insert(fmt::format("{}/{}", log, path));
    }
    if (!tree.gaps.empty()) result_.gaps.emplace(log, std::move(tree.gaps));
    sizes_.emplace(log, tree.checkpoint.size);
    result_.checkpoints.push_back(std::move(tree.checkpoint));
    return {};
  }

  // Holds what an entry says of a log that was verified before against that.
  Result<void> compare(const std::string& log, std::uint64_t index, std::string_view json) {
    if (!json.contains("\"tree_root\"")) return {};
    const auto entry = read_entry(json);
    if (entry && !tells_of_a_log(entry->event_type)) return {};
    BadExport differs{.what = {}, .path = {}, .record = fmt::format("{}, entry {}", log, index)};
    if (!entry || !entry->resources[0].starts_with(place_ + "/")) {
      differs.what = "holds an entry that tells of a log in another form";
      differs.path = log;
      told_ = std::move(differs);
      return {};
    }
    differs.path = entry->resources[0].substr(place_.size() + 1);
    differs.tree_size = entry->tree_size.value_or(0);
    if (!sizes_.contains(differs.path)) {
      waiting_.push_back({std::move(differs), entry->tree_root});
      return {};
    }
    SR_TRY(differs.what, difference(differs.path, differs.tree_size, entry->tree_root));
    if (!differs.what.empty()) told_ = std::move(differs);
    return {};
  }

  // What was told of logs that were verified later, or are not there.
  Result<void> compare_waiting() {
    for (auto& [told, root] : waiting_) {
      SR_TRY(told.what, difference(told.path, told.tree_size, root));
      if (told.what.empty()) continue;
      result_.bad = std::move(told);
      return {};
    }
    return {};
  }

  // What is wrong with `log`, which had `root` at `size`; empty: nothing.
  Result<std::string_view> difference(const std::string& log, std::uint64_t size,
                                      const std::optional<TreeRoot>& root) {
    const auto found = sizes_.find(log);
    if (found == sizes_.end()) return std::string_view(result_.complete ? "is missing" : "");
    if (found->second < size) return std::string_view("has lost entries");
    SR_TRY(const Hash here, static_tree_root(files_, path_of(log), found->second, size));
    return std::string_view(here == root ? "" : "holds other entries");
  }

  // A key that stands in the export is the one that it was verified with.
  void check_vkey(const std::string& path, std::string_view origin) {
    NoteKey key = key_;
    key.name = origin;
    const std::string line = key.text() + "\n";
    const auto found = read_text(files_, path_of(path), line.size());
    if (!found || *found != line) bad("another key", path);
    known_.insert(path);
  }

  std::string path_of(const std::string& path) const { return fmt::format("{}/{}", folder_, path); }

  Files& files_;
  std::string folder_;
  NoteKey key_;
  std::string place_;
  const StaticExportCallback& progress_;
  StaticExport result_;
  std::optional<BadExport> told_;  // by an entry of the log that is being verified
  std::vector<std::pair<BadExport, std::optional<TreeRoot>>> waiting_;  // not compared yet
  std::map<std::string, std::uint64_t> sizes_;  // of the logs verified so far
  std::set<std::string> known_;                 // files that belong to the export
};

}  // namespace

Result<StaticExport> verify_static_export(Files& files, const std::string& folder,
                                          const NoteKey& key,
                                          const StaticExportCallback& progress) {
  SR_TRY(std::string place, place_of_origin(key.name));
  return ExportCheck(files, folder, key, std::move(place), progress).run();
}

}  // namespace strongroom::audit

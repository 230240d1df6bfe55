// audit export.
#include "apps/strongroom/audit_export.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/checkpoint_list.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/proof.h"
#include "audit/static_export.h"
#include "audit/static_tree.h"
#include "audit/tile.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0644;
constexpr std::string_view kUnfinished = ".part";
constexpr Error kUnavailable{ErrorCode::unavailable, "the export cannot be written"};

std::string vkey_line(const LogKey& key, std::string_view origin) {
  return key.of(origin).text() + "\n";
}

// A file is there whole or not at all; durable only when sync_all() has returned.
Result<void> write_whole(const fs::path& path, std::span<const std::byte> bytes) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path unfinished = path.string() + std::string(kUnfinished);
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  const std::string_view text = as_text(bytes);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return fail(kUnavailable);
  fs::rename(unfinished, path, error);
  return error ? fail(kUnavailable) : Result<void>{};
}

Result<void> sync_all(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail(kUnavailable);
  const int status = ::syncfs(descriptor);
  ::close(descriptor);
  return status == 0 ? Result<void>{} : fail(kUnavailable);
}

// Whether `path` holds these bytes already.
bool holds(audit::Files& files, const fs::path& path, std::span<const std::byte> bytes) {
  const auto found = audit::read_text(files, path.string(), bytes.size());
  return found && *found == as_text(bytes);
}

class Export {
 public:
  Export(audit::Files& files, std::string directory, LogKey key, fs::path out)
      : files_(files),
        directory_(std::move(directory)),
        key_(std::move(key)),
        out_(std::move(out)) {}

  // not_found: nobody has signed for the log yet. conflict: the folder holds another history.
  Result<audit::Checkpoint> write(const std::string& log) {
    const std::string origin = audit::log_origin(key_.place(), log);
    SR_TRY(const audit::NoteVerifier verifier, key_.verifier(origin));
    SR_TRY(audit::LogReader reader, audit::LogReader::open(files_, directory_, log));
    SR_TRY(const std::string note, reader.newest_note());
    SR_TRY(audit::Checkpoint checkpoint, audit::open_checkpoint(note, verifier));
    const fs::path folder = out_ / origin.substr(key_.place().size() + 1);
    SR_CHECK_OK(check_earlier(folder, reader, checkpoint, verifier));
    SR_CHECK_OK(write_tiles(folder, reader, checkpoint.size, log));
    SR_CHECK_OK(write_whole(folder / audit::kStaticVkey, as_bytes(vkey_line(key_, origin))));
    SR_CHECK_OK(sync_all(folder));
    const std::string path = folder / audit::kStaticCheckpoint;
    SR_CHECK_OK(write_file_durable(path, as_bytes(note), kFileMode));
    remove_others(folder, checkpoint.size);
    return checkpoint;
  }

 private:
  // The log continues what an earlier export has of it.
  Result<void> check_earlier(const fs::path& folder, audit::LogReader& reader,
                             const audit::Checkpoint& checkpoint,
                             const audit::NoteVerifier& verifier) {
    constexpr Error kOther{ErrorCode::conflict,
                           "the folder holds a checkpoint that this log does not continue"};
    const std::string path = folder / audit::kStaticCheckpoint;
    const auto note = audit::read_text(files_, path, audit::kNoteBytesMax);
    if (!note && note.error().code() == ErrorCode::not_found) return {};
    if (!note) return std::unexpected(note.error());
    const auto earlier = audit::open_checkpoint(*note, verifier);
    if (!earlier || earlier->size > checkpoint.size) return fail(kOther);
    SR_TRY(const audit::Hash root, audit::tree_hash(reader, earlier->size));
    return root == earlier->root ? Result<void>{} : fail(kOther);
  }

  Result<void> write_tiles(const fs::path& folder, audit::LogReader& reader, std::uint64_t size,
                           const std::string& log) {
    ProgressBar bar(log);
    for (const audit::TileId& tile : audit::new_tiles(0, size)) {
      SR_TRY(const auto hashes, reader.tile(tile));
      SR_CHECK_OK(write_unless_there(folder / audit::tile_path(tile), hashes));
      if (tile.level != 0) continue;
      SR_TRY(const auto bundle, reader.bundle(tile));
      SR_CHECK_OK(write_unless_there(folder / audit::bundle_path(tile), bundle));
      bar.show(tile.index * audit::kTileWidth + tile.width, size);
    }
    return {};
  }

  Result<void> write_unless_there(const fs::path& path, std::span<const std::byte> bytes) {
    return holds(files_, path, bytes) ? Result<void>{} : write_whole(path, bytes);
  }

  // Partial tiles of smaller trees, and what an interrupted export has left.
  static void remove_others(const fs::path& folder, std::uint64_t size) {
    const auto paths = audit::static_tree_paths(size);
    const std::set<std::string> known(paths.begin(), paths.end());
    std::error_code error;
    std::vector<fs::path> others;
    for (const auto& each : fs::recursive_directory_iterator(folder / "tile", error)) {
      const std::string path = fs::relative(each.path(), folder, error).string();
      if (each.is_regular_file(error) && !known.contains(path)) others.push_back(each.path());
    }
    for (const fs::path& path : others) {
      fs::remove(path, error);
      fs::remove(path.parent_path(), error);  // a folder <N>.p that is empty now
    }
  }

  audit::Files& files_;
  std::string directory_;
  LogKey key_;
  fs::path out_;
};

// Has audit-relay record that `log` is exported, before it is; kOk also where none runs, which is
// said.
int record_export(const Context& context, const std::string& log) {
  const std::size_t dash = log.rfind('-');
  if (dash == std::string::npos) return kOk;  // no log's name: there is nothing to export
  const auto answer =
      call_admin(context.directory, "audit-relay", http::Method::post,
                 fmt::format("/v1/exports/{}/{}", log.substr(0, dash), log.substr(dash + 1)));
  if (!answer) {
    fmt::print(stderr, "strongroom: {}: its export is not recorded: audit-relay does not run\n",
               log);
    return kOk;
  }
  if (answer->status == 204 || answer->status == 404) return kOk;
  return failed(kNotReachable, fmt::format("{}: not exported, for that cannot be recorded", log));
}

int not_exported(std::string_view log, const Error& error) {
  switch (error.code()) {
    case ErrorCode::not_found:
    case ErrorCode::conflict:
    case ErrorCode::corrupt:
    case ErrorCode::permission_denied:
      return failed(kCheckFailed, fmt::format("{}: {}", log, error.what()));
    default:
      return failed(kNotReachable, fmt::format("{}: {}", log, error.what()));
  }
}

// Exports the logs for which nobody has signed yet only when they are asked for by name.
struct Group {
  std::vector<std::string> logs;
  bool by_name = false;
};

// Adds what was exported to `checkpoints`; or gives the exit status.
int export_group(const Context& context, Export& to, const Group& group,
                 std::vector<audit::Checkpoint>& checkpoints) {
  for (const std::string& log : group.logs) {
    if (const int status = record_export(context, log); status != kOk) return status;
  }
  ask_for_checkpoints(context);
  for (const std::string& log : group.logs) {
    auto checkpoint = to.write(log);
    if (!checkpoint && checkpoint.error().code() == ErrorCode::not_found && !group.by_name) {
      fmt::print(stderr, "strongroom: {}: left out, for it has no checkpoint yet\n", log);
      continue;
    }
    if (!checkpoint) return not_exported(log, checkpoint.error());
    checkpoints.push_back(*std::move(checkpoint));
  }
  return kOk;
}

}  // namespace

int export_logs(const Context& context, const ExportOptions& options) {
  if (options.log.empty() != options.all) return failed(kUsage, "either --log or --all");
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  const auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  audit::PosixFiles files;
  Export to(files, paths->directory, *key, options.out);
  std::vector<audit::Checkpoint> checkpoints;
  // The operator's logs first: what they tell of the others is then no more than those have.
  for (const bool operators : {true, false}) {
    Group group{.logs = {options.log}, .by_name = true};
    if (options.all) {
      auto logs = audit::list_logs(files, paths->directory);
      if (!logs) return not_exported(paths->directory, logs.error());
      group = {.logs = *std::move(logs)};
    }
    std::erase_if(group.logs, [operators](const std::string& log) {
      return audit::is_operators(log) != operators;
    });
    const int status = export_group(context, to, group, checkpoints);
    if (status != kOk) return status;
  }
  const auto vkey = write_whole(fs::path(options.out) / audit::kExportVkey,
                                as_bytes(vkey_line(*key, key->origin())));
  if (!vkey) return not_exported(audit::kExportVkey, vkey.error());
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(boost::json::object{
                           {"ok", true}, {"logs", checkpoints_json(checkpoints)}}));
  } else {
    fmt::print("exported to {}\n", options.out);
    print_checkpoints(checkpoints);
  }
  return kOk;
}

}  // namespace strongroom::tool

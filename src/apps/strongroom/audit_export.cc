// audit export.
#include "apps/strongroom/audit_export.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/checkpoint_list.h"
#include "apps/strongroom/progress_bar.h"
#include "apps/strongroom/signed_checkpoint.h"
#include "audit/archive.h"
#include "audit/checkpoint.h"
#include "audit/entry_bundle.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/proof.h"
#include "audit/static_export.h"
#include "audit/static_tree.h"
#include "audit/submission.h"
#include "audit/tile.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0644;
constexpr std::string_view kUnfinished = ".part";
constexpr std::string_view kAllLogs = "--all\n";
// audit-relay asks a witness every two seconds.
constexpr std::chrono::seconds kWitnessPatience{10};
// It looks once a second which logs there are.
constexpr std::chrono::seconds kRelayPatience{5};
constexpr std::chrono::milliseconds kPause{100};
constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr Error kOtherHistory{ErrorCode::conflict,
                              "the folder holds a checkpoint that this log does not continue"};
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

// A log as it stands in the folder now.
struct Exported {
  std::string path{};  // <owner>/<shard>
  SignedCheckpoint last{};
  audit::StaticGaps gaps{};
};

class Export {
 public:
  // `what`: the command's --all or --log NAME.
  Export(audit::Files& files, std::string directory, LogKey key, Witnesses witnesses, fs::path out,
         std::string what)
      : files_(files),
        directory_(std::move(directory)),
        key_(std::move(key)),
        witnesses_(std::move(witnesses)),
        out_(std::move(out)),
        what_(std::move(what)) {}

  bool has_checkpoint(const std::string& log) {
    auto reader = audit::LogReader::open(files_, directory_, log);
    return reader && reader->newest_note();
  }
  // Returns when the witnesses have cosigned the operator's log that grows now as it is, or not in
  // time; what there is then is exported.
  void wait_for_witnesses() {
    const auto log = audit::newest_operators_log(files_, directory_);
    if (witnesses_.empty() || !log) return;
    auto reader = audit::LogReader::open(files_, directory_, *log);
    const auto verifier = key_.verifier(origin(*log));
    if (reader && verifier) {
      tool::wait_for_witnesses(*reader, *verifier, witnesses_, kWitnessPatience);
    }
  }

  // not_found: nobody has signed for the log yet. conflict: the folder holds another history.
  Result<Exported> write(const std::string& log) {
    SR_TRY(const audit::NoteVerifier verifier, key_.verifier(origin(log)));
    SR_TRY(audit::LogReader reader, audit::LogReader::open(files_, directory_, log));
    Exported exported{.path = origin(log).substr(key_.place().size() + 1)};
    const fs::path folder = out_ / exported.path;
    SR_TRY(const Earlier earlier, check_earlier(folder, reader, verifier));
    SR_TRY(exported.last, last_checkpoint(reader, verifier, earlier.size));
    SR_CHECK_OK(begin());
    SR_CHECK_OK(write_tiles(folder, reader, earlier, exported));
    SR_CHECK_OK(write_gaps(folder, exported.gaps));
    SR_CHECK_OK(write_whole(folder / audit::kStaticVkey, as_bytes(vkey_line(key_, origin(log)))));
    SR_CHECK_OK(sync_all(folder));
    const std::string path = folder / audit::kStaticCheckpoint;
    SR_CHECK_OK(write_file_durable(path, as_bytes(exported.last.note), kFileMode));
    remove_others(folder, exported);
    return exported;
  }

  // All is written; what says that it is not goes, unless it is of an export of more.
  Result<void> finish() {
    SR_CHECK_OK(write_whole(out_ / audit::kExportVkey, as_bytes(vkey_line(key_, key_.origin()))));
    SR_CHECK_OK(sync_all(out_));
    std::error_code error;
    if (unfinished() == what_) fs::remove(out_ / audit::kUnfinishedName, error);
    return error ? fail(kUnavailable) : Result<void>{};
  }

 private:
  std::string unfinished() {
    const std::string path = out_ / audit::kUnfinishedName;
    return audit::read_text(files_, path, audit::kFieldBytesMax).value_or("");
  }

  // Before the first change: until all logs are as far as they tell of each other, nobody could
  // verify them.
  Result<void> begin() {
    if (unfinished() == what_ || unfinished() == kAllLogs) return {};
    std::error_code error;
    fs::create_directories(out_, error);
    return write_file_durable(out_ / audit::kUnfinishedName, as_bytes(what_), kFileMode);
  }

  // What an earlier export has of the log.
  struct Earlier {
    std::uint64_t size = 0;
    audit::StaticGaps gaps;
  };

  std::string origin(std::string_view log) const { return audit::log_origin(key_.place(), log); }

  // The log continues what an earlier export has of it.
  Result<Earlier> check_earlier(const fs::path& folder, audit::LogReader& reader,
                                const audit::NoteVerifier& verifier) {
    const std::string path = folder / audit::kStaticCheckpoint;
    const auto note = audit::read_text(files_, path, audit::kNoteBytesMax);
    if (!note && note.error().code() == ErrorCode::not_found) return Earlier{};
    if (!note) return std::unexpected(note.error());
    const auto earlier = audit::open_checkpoint(*note, verifier);
    SR_TRY(const SignedCheckpoint newest, newest_signed(reader, verifier, {}));
    if (!earlier || earlier->size > newest.checkpoint.size) return fail(kOtherHistory);
    SR_TRY(const audit::Hash root, audit::tree_hash(reader, earlier->size));
    if (root != earlier->root) return fail(kOtherHistory);
    // A damaged file of gaps, or an interrupted export's, at worst costs what was there before.
    auto gaps = audit::read_gaps(files_, folder.string(), newest.checkpoint.size);
    return Earlier{earlier->size, gaps ? *std::move(gaps) : audit::StaticGaps()};
  }

  // The one that the export ends with: of the operator's log that grows now the newest that a
  // witness stands for, since all that the export holds is witnessed through that one.
  Result<SignedCheckpoint> last_checkpoint(audit::LogReader& reader,
                                           const audit::NoteVerifier& verifier,
                                           std::uint64_t earlier_size) {
    SR_TRY(SignedCheckpoint newest, newest_signed(reader, verifier, witnesses_));
    const auto growing = audit::newest_operators_log(files_, directory_);
    if (witnesses_.empty() || !growing || reader.log_name() != *growing) return newest;
    auto cosigned = newest_cosigned(reader, verifier, witnesses_);
    if (!cosigned && cosigned.error().code() != ErrorCode::not_found) return cosigned;
    const bool goes_on = cosigned && cosigned->checkpoint.size >= earlier_size;
    SignedCheckpoint& last = goes_on ? *cosigned : newest;
    say_what_is_missing(reader.log_name(), last, newest.checkpoint.size);
    return std::move(last);
  }

  void say_what_is_missing(const std::string& log, const SignedCheckpoint& last,
                           std::uint64_t newest_size) const {
    if (last.checkpoint.size < newest_size) {
      fmt::print(stderr,
                 "strongroom: {}: left out its newest entries ({}): no witness stands for "
                 "them yet\n",
                 log, newest_size - last.checkpoint.size);
    }
    for (const audit::CosignatureVerifier& witness : witnesses_) {
      const std::string& name = witness.key().name;
      const auto found =
          std::ranges::find(last.cosignatures, name, &SignedCheckpoint::Cosignature::witness);
      if (found != last.cosignatures.end()) continue;
      fmt::print(stderr, "strongroom: {}: exported without a cosignature of {}\n", log, name);
    }
  }

  Result<void> write_tiles(const fs::path& folder, audit::LogReader& reader, const Earlier& earlier,
                           Exported& exported) {
    const std::uint64_t size = exported.last.checkpoint.size;
    ProgressBar bar(reader.log_name());
    for (const audit::TileId& tile : audit::new_tiles(0, size)) {
      SR_TRY(const auto hashes, reader.tile(tile));
      SR_CHECK_OK(write_unless_there(folder / audit::tile_path(tile), hashes));
      if (tile.level != 0) continue;
      auto bundle = reader.bundle(tile);
      if (bundle) {
        SR_CHECK_OK(write_unless_there(folder / audit::bundle_path(tile), *bundle));
      } else if (bundle.error().code() == ErrorCode::gone) {
        SR_CHECK_OK(write_at_hand(folder, reader, tile, earlier, exported.gaps));
      } else {
        return fail(bundle.error());
      }
      bar.show(tile.index * audit::kTileWidth + tile.width, size);
    }
    return {};
  }

  // What there is of a bundle of which entries are in an archive.
  Result<void> write_at_hand(const fs::path& folder, audit::LogReader& reader,
                             const audit::TileId& tile, const Earlier& earlier,
                             audit::StaticGaps& gaps) {
    const std::uint64_t begin = tile.index * audit::kTileWidth;
    SR_TRY(const auto kept, kept_entries(folder, reader, tile, earlier));
    std::vector<std::vector<std::byte>> entries(tile.width);
    for (std::uint64_t i = 0; i < tile.width; ++i) {
      auto entry = reader.entry(begin + i);
      if (!entry && entry.error().code() != ErrorCode::gone) return fail(entry.error());
      if (!entry && !kept[i]) {
        SR_TRY(const audit::FramePlace place, reader.place(begin + i));
        add_to_gaps(gaps, begin + i, audit::archive_name(place.segment_first_sequence));
        continue;
      }
      entries[i] = entry ? *std::move(entry) : *kept[i];
    }
    for (const audit::StaticRun& run : audit::runs_of_bundle(tile, gaps)) {
      std::vector<std::byte> bytes;
      for (std::uint64_t i = run.begin; i < run.end; ++i) {
        audit::append_to_bundle(bytes, entries[i - begin]);
      }
      SR_CHECK_OK(write_unless_there(folder / run.path, bytes));
    }
    return {};
  }

  static void add_to_gaps(audit::StaticGaps& gaps, std::uint64_t index, std::string archive) {
    if (!gaps.empty() && gaps.back().end == index && gaps.back().archive == archive) {
      ++gaps.back().end;
    } else {
      gaps.push_back({index, index + 1, std::move(archive)});
    }
  }

  // The entries of the bundle that an earlier export, or an interrupted one, has left in the folder
  // and that have the tree's hashes.
  Result<std::vector<std::optional<std::vector<std::byte>>>> kept_entries(const fs::path& folder,
                                                                          audit::LogReader& reader,
                                                                          const audit::TileId& tile,
                                                                          const Earlier& earlier) {
    const std::uint64_t begin = tile.index * audit::kTileWidth;
    std::vector<audit::Hash> leaves(tile.width);
    SR_CHECK_OK(reader.read(0, begin, leaves));
    std::vector<std::optional<std::vector<std::byte>>> kept(tile.width);
    const auto take = [&](unsigned width, const audit::StaticGaps& gaps) {
      const auto found =
          audit::read_static_entries(files_, folder.string(), {0, tile.index, width}, gaps);
      for (std::size_t i = 0; found && i < width; ++i) {
        const auto& entry = found->entries[i];
        if (entry && audit::leaf_hash(*entry) == leaves[i]) {
          kept[i].emplace(entry->begin(), entry->end());
        }
      }
    };
    take(tile.width, {});
    if (earlier.size > begin) {
      const std::uint64_t width = std::min<std::uint64_t>(tile.width, earlier.size - begin);
      take(static_cast<unsigned>(width), earlier.gaps);
    }
    return kept;
  }

  Result<void> write_gaps(const fs::path& folder, const audit::StaticGaps& gaps) {
    const fs::path path = folder / audit::kStaticGaps;
    if (!gaps.empty()) return write_whole(path, as_bytes(audit::gaps_text(gaps)));
    std::error_code error;
    fs::remove(path, error);
    return error ? fail(kUnavailable) : Result<void>{};
  }

  Result<void> write_unless_there(const fs::path& path, std::span<const std::byte> bytes) {
    return holds(files_, path, bytes) ? Result<void>{} : write_whole(path, bytes);
  }

  // Partial tiles of smaller trees, parts of bundles that are whole by now, and what an interrupted
  // export has left.
  static void remove_others(const fs::path& folder, const Exported& exported) {
    const auto paths = audit::static_tree_paths(exported.last.checkpoint.size, exported.gaps);
    const std::set<std::string> known(paths.begin(), paths.end());
    std::error_code error;
    std::vector<fs::path> others;
    for (const std::string_view part : {"tile", "at-hand"}) {
      for (const auto& each : fs::recursive_directory_iterator(folder / part, error)) {
        const std::string path = fs::relative(each.path(), folder, error).string();
        if (each.is_regular_file(error) && !known.contains(path)) others.push_back(each.path());
      }
    }
    for (const fs::path& path : others) {
      fs::remove(path, error);
      fs::remove(path.parent_path(), error);  // a folder <N>.p or at-hand that is empty now
    }
  }

  audit::Files& files_;
  std::string directory_;
  LogKey key_;
  Witnesses witnesses_;
  fs::path out_;
  std::string what_;
};

// Has audit-relay record that `log` is exported, before it is; kOk also where none runs, which is
// said, and for a log that has no checkpoint: there is nothing to export.
int record_export(const Context& context, const std::string& log) {
  const std::size_t dash = log.rfind('-');
  if (dash == std::string::npos) return kOk;  // no log's name
  const std::string target =
      fmt::format("/v1/exports/{}/{}", log.substr(0, dash), log.substr(dash + 1));
  const auto deadline = std::chrono::steady_clock::now() + kRelayPatience;
  while (true) {
    const auto answer = call_admin(context.directory, "audit-relay", http::Method::post, target);
    if (!answer) {
      fmt::print(stderr, "strongroom: {}: its export is not recorded: audit-relay does not run\n",
                 log);
      return kOk;
    }
    if (answer->status == 204) return kOk;
    if (answer->status != 404 || std::chrono::steady_clock::now() > deadline) {
      return failed(kNotReachable,
                    fmt::format("{}: not exported, for that cannot be recorded", log));
    }
    std::this_thread::sleep_for(kPause);
  }
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

// Which logs are exported, listed anew at each turn: what the operator's logs tell of must be
// there.
class Chosen {
 public:
  Chosen(audit::Files& files, std::string directory, std::string by_name)
      : files_(files), directory_(std::move(directory)), by_name_(std::move(by_name)) {}

  Result<std::vector<std::string>> list() {
    if (by_name_.empty()) return audit::list_logs(files_, directory_);
    return std::vector{by_name_};
  }
  // A log for which nobody has signed yet must be exported only when it is asked for by name.
  [[nodiscard]] bool may_leave_out(const Error& error) const {
    return by_name_.empty() && error.code() == ErrorCode::not_found;
  }

 private:
  audit::Files& files_;
  std::string directory_;
  std::string by_name_;
};

// Records the exports of `logs` that are not in `recorded` yet, and has all of it signed; the exit
// status. `signed_now`: whether auditd has.
int record_exports(const Context& context, Export& to, const std::vector<std::string>& logs,
                   std::set<std::string>& recorded, bool& signed_now) {
  const std::size_t before = recorded.size();
  for (const std::string& log : logs) {
    if (!to.has_checkpoint(log) || !recorded.insert(log).second) continue;
    if (const int status = record_export(context, log); status != kOk) return status;
  }
  if (recorded.size() > before) signed_now = ask_for_checkpoints(context);
  return kOk;
}

// Adds what was exported to `done`; or gives the exit status.
int write_logs(Export& to, const Chosen& chosen, const std::vector<std::string>& logs,
               std::vector<Exported>& done) {
  for (const std::string& log : logs) {
    auto written = to.write(log);
    if (!written && chosen.may_leave_out(written.error())) {
      fmt::print(stderr, "strongroom: {}: left out, for it has no checkpoint yet\n", log);
      continue;
    }
    if (!written) return not_exported(log, written.error());
    done.push_back(*std::move(written));
  }
  return kOk;
}

void print(const Context& context, const std::string& out, const std::vector<Exported>& done,
           const std::map<std::string, audit::StaticGaps>& gaps) {
  if (!context.json) fmt::print("exported to {}\n", out);
  boost::json::array logs;
  for (const Exported& log : done) {
    boost::json::object object = to_json(log.last.checkpoint);
    boost::json::array cosigners;
    if (!context.json) print_checkpoint(log.last.checkpoint);
    for (const auto& [witness, time_s] : log.last.cosignatures) {
      const std::string time = rfc3339(time_s * kMicrosecondsPerSecond);
      cosigners.push_back({{"witness", witness}, {"at", time}});
      if (!context.json) fmt::print("    cosigned by {} at {}\n", witness, time);
    }
    object["cosigned"] = std::move(cosigners);
    logs.push_back(std::move(object));
  }
  if (!context.json) {
    print_gaps(gaps);
    return;
  }
  const boost::json::object report{
      {"ok", true}, {"logs", std::move(logs)}, {"gaps", gaps_json(gaps)}};
  fmt::print("{}\n", boost::json::serialize(report));
}

}  // namespace

int export_logs(const Context& context, const ExportOptions& options) {
  if (options.log.empty() != options.all) return failed(kUsage, "either --log or --all");
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  const auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  auto witnesses = read_witnesses(paths->witnesses);
  if (!witnesses) return witnesses.error();
  audit::PosixFiles files;
  std::string what = options.all ? std::string(kAllLogs) : fmt::format("--log {}\n", options.log);
  Export to(files, paths->directory, *key, *std::move(witnesses), options.out, std::move(what));
  Chosen chosen(files, paths->directory, options.log);
  std::set<std::string> recorded;
  std::vector<Exported> done;
  ask_for_checkpoints(context);
  // The operator's logs first: what they tell of the others is then no more than those have.
  for (const bool operators : {true, false}) {
    auto logs = chosen.list();
    if (!logs) return not_exported(paths->directory, logs.error());
    bool signed_now = false;
    if (const int status = record_exports(context, to, *logs, recorded, signed_now);
        status != kOk) {
      return status;
    }
    std::erase_if(*logs, [operators](const std::string& log) {
      return audit::is_operators(log) != operators;
    });
    if (operators && !logs->empty() && signed_now && paths->asks_witnesses) {
      to.wait_for_witnesses();
    }
    if (const int status = write_logs(to, chosen, *logs, done); status != kOk) return status;
  }
  if (const auto ended = to.finish(); !ended) return not_exported(options.out, ended.error());
  std::map<std::string, audit::StaticGaps> gaps;
  for (Exported& log : done) {
    if (!log.gaps.empty()) gaps.emplace(log.path, std::move(log.gaps));
  }
  print(context, options.out, done, gaps);
  return gaps.empty() ? kOk : kArchived;
}

}  // namespace strongroom::tool

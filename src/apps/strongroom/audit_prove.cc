// audit prove.
#include "apps/strongroom/audit_prove.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/audit_proof.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_bundle.h"
#include "audit/entry_view.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/proof_file.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr mode_t kFileMode = 0640;

struct EntryPlace {
  std::string log;
  std::uint64_t index = 0;
};

// A signed checkpoint: its note, and what that says once it was verified.
struct Signed {
  std::string note;
  audit::Checkpoint checkpoint;
};

// The entry of the operator's log that records a checkpoint of another log.
struct Record {
  EntryPlace place;
  Signed recorded;
};

// The pair of files that was written.
struct Written {
  EntryPlace entry;
  std::optional<EntryPlace> record;
  std::uint64_t tree_size = 0;
};

class Prover {
 public:
  Prover(audit::Files& files, AuditPaths paths, LogKey key, std::string out)
      : files_(files), paths_(std::move(paths)), key_(std::move(key)), out_(std::move(out)) {}

  // The signed entries about `token`, by log and index.
  Result<std::vector<EntryPlace>> find(std::string_view token) {
    SR_TRY(const auto logs, audit::list_logs(files_, paths_.directory));
    std::vector<EntryPlace> found;
    for (const std::string& log : logs) SR_CHECK_OK(find_in(log, token, found));
    return found;
  }

  // not_found: no such entry, or nobody has signed for it yet.
  Result<Written> prove(const EntryPlace& place) {
    SR_TRY(Signed checkpoint, best_for(place));
    if (place.index >= checkpoint.checkpoint.size) {
      return fail({ErrorCode::not_found, "no checkpoint covers such an entry (yet)"});
    }
    Written written{.entry = place, .record = {}, .tree_size = 0};
    if (!audit::is_operators(place.log)) {
      SR_TRY(const Record* record, record_of(place));
      if (record != nullptr) {
        checkpoint = record->recorded;
        written.record = record->place;
      }
    }
    written.tree_size = checkpoint.checkpoint.size;
    SR_CHECK_OK(write(place, checkpoint));
    return written;
  }

 private:
  std::string origin(std::string_view log) const { return audit::log_origin(key_.place(), log); }

  Result<audit::LogReader> open(const std::string& log) {
    return audit::LogReader::open(files_, paths_.directory, log);
  }

  Result<Signed> opened(std::string note, std::string_view log) {
    SR_TRY(const audit::NoteVerifier verifier, key_.verifier(origin(log)));
    SR_TRY(audit::Checkpoint checkpoint, audit::open_checkpoint(note, verifier));
    return Signed{std::move(note), std::move(checkpoint)};
  }

  Result<Signed> newest(const std::string& log) {
    SR_TRY(audit::LogReader reader, open(log));
    SR_TRY(std::string note, reader.newest_note());
    return opened(std::move(note), log);
  }

  // The newest checkpoint that witnesses have cosigned; not_found.
  Result<Signed> cosigned(const std::string& log) {
    SR_TRY(audit::LogReader reader, open(log));
    SR_TRY(std::string note, reader.cosigned_note());
    return opened(std::move(note), log);
  }

  // The newest cosigned checkpoint, where that covers the entry, else the newest.
  Result<Signed> best_for(const EntryPlace& place) {
    auto witnessed = cosigned(place.log);
    if (witnessed && place.index < witnessed->checkpoint.size) return witnessed;
    if (!witnessed && witnessed.error().code() != ErrorCode::not_found) return witnessed;
    return newest(place.log);
  }

  // Calls `take` with index and bytes of the entries of a bundle.
  static Result<void> each_entry(audit::LogReader& reader, const audit::TileId& tile,
                                 const std::function<void(std::uint64_t, std::string_view)>& take) {
    SR_TRY(const auto bundle, reader.bundle(tile));
    SR_TRY(const auto entries, audit::parse_bundle(bundle, tile.width));
    std::uint64_t index = tile.index * audit::kTileWidth;
    for (const auto& entry : entries) take(index++, as_text(entry));
    return {};
  }

  static std::vector<audit::TileId> bundles(std::uint64_t size) {
    std::vector<audit::TileId> tiles = audit::new_tiles(0, size);
    std::erase_if(tiles, [](const audit::TileId& tile) { return tile.level != 0; });
    return tiles;
  }

  Result<void> find_in(const std::string& log, std::string_view token,
                       std::vector<EntryPlace>& found) {
    auto signed_for = newest(log);
    if (!signed_for && signed_for.error().code() == ErrorCode::not_found) return {};
    if (!signed_for) return std::unexpected(signed_for.error());
    SR_TRY(audit::LogReader reader, open(log));
    ProgressBar bar(log);
    const std::uint64_t size = signed_for->checkpoint.size;
    for (const audit::TileId& tile : bundles(size)) {
      SR_CHECK_OK(each_entry(reader, tile, [&](std::uint64_t index, std::string_view json) {
        const auto entry = audit::read_entry(json);
        if (entry && entry->gateway_token == token) found.push_back({log, index});
      }));
      bar.show(tile.index * audit::kTileWidth + tile.width, size);
    }
    return {};
  }

  // The newest record of a checkpoint that covers the entry: one that witnesses stand for, if there
  // is any; nullptr: none.
  Result<const Record*> record_of(const EntryPlace& place) {
    for (const bool witnessed : {true, false}) {
      const auto [found, is_new] = records_.try_emplace({place.log, witnessed});
      if (is_new) {
        SR_TRY(found->second, find_record(place.log, witnessed));
      }
      const auto& record = found->second;
      if (record && place.index < record->recorded.checkpoint.size) return &*record;
    }
    return nullptr;
  }

  Result<std::optional<Record>> find_record(const std::string& log, bool witnessed) {
    SR_TRY(auto logs, audit::list_logs(files_, paths_.directory));
    std::erase_if(logs, [](const std::string& name) { return !audit::is_operators(name); });
    for (const std::string& name : logs | std::views::reverse) {
      const auto head = witnessed ? cosigned(name) : newest(name);
      if (!head && head.error().code() == ErrorCode::not_found) continue;
      if (!head) return std::unexpected(head.error());
      SR_TRY(auto record, find_record_in(name, head->checkpoint.size, log));
      if (record) return record;
    }
    return std::nullopt;
  }

  // From the last of the operator log's first `size` entries back.
  Result<std::optional<Record>> find_record_in(const std::string& operators, std::uint64_t size,
                                               const std::string& log) {
    SR_TRY(audit::LogReader reader, open(operators));
    const std::string wanted = origin(log);
    for (const audit::TileId& tile : bundles(size) | std::views::reverse) {
      std::vector<std::pair<std::uint64_t, audit::Checkpoint>> found;
      SR_CHECK_OK(each_entry(reader, tile, [&](std::uint64_t index, std::string_view json) {
        if (!json.contains("log.checkpoint")) return;
        auto checkpoint = recorded_checkpoint(json);
        if (checkpoint && checkpoint->origin == wanted) found.emplace_back(index, *checkpoint);
      }));
      for (const auto& [index, checkpoint] : found | std::views::reverse) {
        SR_TRY(auto note, note_of(log, checkpoint));
        if (note) return Record{{operators, index}, {*std::move(note), checkpoint}};
      }
    }
    return std::nullopt;
  }

  // The note that signs for `checkpoint`.
  Result<std::optional<std::string>> note_of(const std::string& log,
                                             const audit::Checkpoint& checkpoint) {
    const std::string text = audit::checkpoint_text(checkpoint);
    SR_TRY(auto reader,
           audit::CheckpointReader::open(files_, audit::checkpoint_path(paths_.directory, log)));
    while (true) {
      SR_TRY(const auto note, reader.next());
      if (!note) return std::nullopt;
      if (note->starts_with(text)) return std::string(*note);
    }
  }

  std::string path_of(const EntryPlace& place, std::string_view extension) const {
    return fmt::format("{}/{}-{}{}", out_, place.log, place.index, extension);
  }

  Result<void> write(const EntryPlace& place, const Signed& checkpoint) {
    SR_TRY(audit::LogReader reader, open(place.log));
    SR_TRY(const auto entry, reader.entry(place.index));
    audit::ProofFile proof{.index = place.index, .proof = {}, .checkpoint = checkpoint.note};
    SR_TRY(proof.proof, inclusion_proof(reader, place.index, checkpoint.checkpoint.size));
    const std::string entry_path = path_of(place, ".json");
    const std::string proof_path = path_of(place, ".tlog-proof");
    SR_CHECK_OK(write_file_durable(entry_path, entry, kFileMode));
    SR_CHECK_OK(write_file_durable(proof_path, as_bytes(proof_file_text(proof)), kFileMode));
    SR_TRY(const std::string entry_read, read_file(entry_path, audit::kEntryBytesMax));
    SR_TRY(const std::string proof_read, read_file(proof_path, audit::kProofFileBytesMax));
    SR_TRY(const ShownProof shown, show_proof(proof_read, entry_read, key_, {}));
    if (shown.index != place.index || shown.checkpoint.origin != origin(place.log)) {
      return fail({ErrorCode::corrupt, "the files hold another proof than was written"});
    }
    return {};
  }

  audit::Files& files_;
  AuditPaths paths_;
  LogKey key_;
  std::string out_;
  std::map<std::pair<std::string, bool>, std::optional<Record>> records_;  // by log, witnessed
};

int not_proven(const Error& error) {
  const bool absent = error.code() == ErrorCode::not_found;
  return failed(absent || error.code() == ErrorCode::corrupt ? kCheckFailed : kNotReachable,
                error.what());
}

std::string file_of(const EntryPlace& place) {
  return fmt::format("{}-{}", place.log, place.index);
}

void print(const Context& context, const std::vector<Written>& all, const std::string& out) {
  if (!context.json) {
    for (const Written& written : all) {
      fmt::print("{}/{}.tlog-proof, to a tree of {} entries; {}\n", out, file_of(written.entry),
                 written.tree_size,
                 written.record ? fmt::format("recorded by {}", file_of(*written.record))
                 : audit::is_operators(written.entry.log)
                     ? "the operator's own log"
                     : "not yet recorded in the operator's log, so no witness stands for it");
    }
    return;
  }
  boost::json::array array;
  for (const Written& written : all) {
    boost::json::object object{
        {"log", written.entry.log},
        {"index", written.entry.index},
        {"tree_size", written.tree_size},
        {"entry", fmt::format("{}/{}.json", out, file_of(written.entry))},
        {"proof", fmt::format("{}/{}.tlog-proof", out, file_of(written.entry))},
        {"record", nullptr}};
    if (written.record) {
      const std::string record = fmt::format("{}/{}", out, file_of(*written.record));
      object["record"] = {{"log", written.record->log},
                          {"index", written.record->index},
                          {"entry", record + ".json"},
                          {"proof", record + ".tlog-proof"}};
    }
    array.push_back(std::move(object));
  }
  fmt::print("{}\n", boost::json::serialize(array));
}

}  // namespace

int prove_entries(const Context& context, const ProveOptions& options) {
  if (options.token.empty() != (!options.log.empty() && options.index.has_value())) {
    return failed(kUsage, "either --token, or --log with --index");
  }
  auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  const std::string entry =
      options.token.empty() ? fmt::format("{} {}", options.log, *options.index) : options.token;
  record_reading(context, "prove", options.log.substr(0, options.log.rfind('-')), entry);
  ask_for_checkpoints(context);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return failed(kUsage, fmt::format("{}: {}", options.out, error.message()));
  audit::PosixFiles files;
  Prover prover(files, *std::move(paths), *std::move(key), options.out);
  std::vector<EntryPlace> places;
  if (options.token.empty()) {
    places.push_back({options.log, *options.index});
  } else {
    auto found = prover.find(options.token);
    if (!found) return not_proven(found.error());
    if (found->empty()) return failed(kCheckFailed, "no signed entry is about this token (yet)");
    places = *std::move(found);
  }
  std::vector<Written> written;
  for (const EntryPlace& place : places) {
    auto one = prover.prove(place);
    if (one && one->record) {
      const auto record = prover.prove(*one->record);
      if (!record) return not_proven(record.error());
    }
    if (!one) return not_proven(one.error());
    written.push_back(*std::move(one));
  }
  print(context, written, options.out);
  return kOk;
}

}  // namespace strongroom::tool

// audit prove.
#include "apps/strongroom/audit_prove.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/archived.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/audit_proof.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_bundle.h"
#include "audit/entry_view.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/proof_file.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "http/target.h"

namespace strongroom::tool {
namespace {

constexpr mode_t kFileMode = 0640;

struct EntryPlace {
  std::string log;
  std::uint64_t index = 0;
  bool operator==(const EntryPlace&) const = default;
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

// Entries of a log that are in archives.
struct Away {
  std::map<std::uint64_t, std::uint64_t> segments;  // how many, by their first sequence
  std::uint64_t end = 0;                            // index behind the last one
};

// The pair of files that was written; or the segment, by its first sequence, that had to be at hand
// for them.
struct Written {
  EntryPlace entry;
  std::optional<EntryPlace> record;
  std::uint64_t tree_size = 0;
  std::optional<std::uint64_t> away{};
  bool record_may_be_away = false;  // no record was found among the entries at hand
};

class Prover {
 public:
  Prover(audit::Files& files, AuditPaths paths, LogKey key, std::string out)
      : files_(files), paths_(std::move(paths)), key_(std::move(key)), out_(std::move(out)) {}

  // The signed entries about `token` that are at hand, by log and index, and what else there is.
  struct Found {
    std::vector<EntryPlace> places;
    std::map<std::string, Away> away;  // by log
  };
  Result<Found> find(std::string_view token) {
    SR_TRY(const auto logs, audit::list_logs(files_, paths_.directory));
    Found found;
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
    SR_TRY(written.away, away_segment(place));
    if (written.away) return written;
    if (!audit::is_operators(place.log)) {
      SR_TRY(const Record* record, record_of(place));
      if (record != nullptr) {
        checkpoint = record->recorded;
        written.record = record->place;
      }
      written.record_may_be_away = record == nullptr && passed_over_records_;
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

  // The archived segment that the entry is in; nullopt: it is at hand.
  Result<std::optional<std::uint64_t>> away_segment(const EntryPlace& place) {
    SR_TRY(audit::LogReader reader, open(place.log));
    const auto entry = reader.entry(place.index);
    if (entry) return std::nullopt;
    if (entry.error().code() != ErrorCode::gone) return std::unexpected(entry.error());
    SR_TRY(const audit::FramePlace at, reader.place(place.index));
    return at.segment_first_sequence;
  }

  // Calls `take` with index and bytes of the entries of a bundle that are at hand; counts the
  // others in `away`.
  static Result<void> each_entry(audit::LogReader& reader, const audit::TileId& tile, Away& away,
                                 const std::function<void(std::uint64_t, std::string_view)>& take) {
    std::uint64_t index = tile.index * audit::kTileWidth;
    const auto bundle = reader.bundle(tile);
    if (bundle) {
      SR_TRY(const auto entries, audit::parse_bundle(*bundle, tile.width));
      for (const auto& entry : entries) take(index++, as_text(entry));
      return {};
    }
    if (bundle.error().code() != ErrorCode::gone) return std::unexpected(bundle.error());
    for (const std::uint64_t end = index + tile.width; index < end; ++index) {
      const auto entry = reader.entry(index);
      if (entry) {
        take(index, as_text(*entry));
        continue;
      }
      if (entry.error().code() != ErrorCode::gone) return std::unexpected(entry.error());
      SR_TRY(const audit::FramePlace place, reader.place(index));
      ++away.segments[place.segment_first_sequence];
      away.end = index + 1;
    }
    return {};
  }

  static std::vector<audit::TileId> bundles(std::uint64_t size) {
    std::vector<audit::TileId> tiles = audit::new_tiles(0, size);
    std::erase_if(tiles, [](const audit::TileId& tile) { return tile.level != 0; });
    return tiles;
  }

  Result<void> find_in(const std::string& log, std::string_view token, Found& found) {
    auto signed_for = newest(log);
    if (!signed_for && signed_for.error().code() == ErrorCode::not_found) return {};
    if (!signed_for) return std::unexpected(signed_for.error());
    SR_TRY(audit::LogReader reader, open(log));
    Away away;
    ProgressBar bar(log);
    const std::uint64_t size = signed_for->checkpoint.size;
    for (const audit::TileId& tile : bundles(size)) {
      const auto take = [&](std::uint64_t index, std::string_view json) {
        const auto entry = audit::read_entry(json);
        if (entry && entry->gateway_token == token) found.places.push_back({log, index});
      };
      SR_CHECK_OK(each_entry(reader, tile, away, take));
      bar.show(tile.index * audit::kTileWidth + tile.width, size);
    }
    if (away.end > 0) found.away.emplace(log, std::move(away));
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
      const auto take = [&](std::uint64_t index, std::string_view json) {
        if (!json.contains("log.checkpoint")) return;
        auto checkpoint = recorded_checkpoint(json);
        if (checkpoint && checkpoint->origin == wanted) found.emplace_back(index, *checkpoint);
      };
      Away away;
      SR_CHECK_OK(each_entry(reader, tile, away, take));
      passed_over_records_ = passed_over_records_ || away.end > 0;
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
    SR_TRY(const auto file,
           files_.open(audit::checkpoint_path(paths_.directory, log), audit::OpenMode::read));
    return audit::find_note(*file, checkpoint);
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
  bool passed_over_records_ = false;  // some of the operator's entries were in archives
};

int not_proven(const Error& error) {
  const bool absent = error.code() == ErrorCode::not_found;
  return failed(absent || error.code() == ErrorCode::corrupt ? kCheckFailed : kNotReachable,
                error.what());
}

std::string file_of(const EntryPlace& place) {
  return fmt::format("{}-{}", place.log, place.index);
}

std::string_view standing_of(const Written& written) {
  if (audit::is_operators(written.entry.log)) return "the operator's own log";
  return written.record_may_be_away
             ? "what records it in the operator's log is in an archive, so no witness stands for it"
             : "not yet recorded in the operator's log, so no witness stands for it";
}

void print(const Context& context, const std::vector<Written>& all, const std::string& out) {
  if (!context.json) {
    for (const Written& written : all) {
      if (written.away) continue;
      fmt::print("{}/{}.tlog-proof, to a tree of {} entries; {}\n", out, file_of(written.entry),
                 written.tree_size,
                 written.record ? fmt::format("recorded by {}", file_of(*written.record))
                                : standing_of(written));
    }
    return;
  }
  boost::json::array array;
  for (const Written& written : all) {
    if (written.away) {
      array.push_back(boost::json::object{{"log", written.entry.log},
                                          {"index", written.entry.index},
                                          {"archive", audit::archive_name(*written.away)}});
      continue;
    }
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

// What audit-relay answers; nullopt where it does not run, or not well.
std::optional<boost::json::object> ask_relay(const Context& context, const std::string& target) {
  const auto response = call_admin(context.directory, "audit-relay", http::Method::get, target);
  if (!response || response->status != 200) return std::nullopt;
  boost::system::error_code error;
  boost::json::value answer = boost::json::parse(response->body, error);
  if (error || !answer.is_object()) return std::nullopt;
  return std::move(answer.as_object());
}

// Whether its index knows what each of the entries that are away says.
bool index_knows(const Context& context, const std::map<std::string, Away>& away) {
  const auto answer = ask_relay(context, "/v1/index");
  if (!answer) return false;
  std::map<std::string, std::uint64_t> known;
  for (const boost::json::value& value : answer->at("data").as_array()) {
    const boost::json::object& log = value.as_object();
    const bool all_read = log.at("unread").to_number<std::uint64_t>() == 0;
    known[member(log, "log")] = all_read ? log.at("entries").to_number<std::uint64_t>() : 0;
  }
  return std::ranges::all_of(away,
                             [&](const auto& one) { return known[one.first] >= one.second.end; });
}

// The archived entries that it finds.
std::optional<std::vector<EntryPlace>> archived_by_index(const Context& context,
                                                         std::string_view query) {
  constexpr std::size_t kPagesMax = 2'000;
  std::vector<EntryPlace> archived;
  std::string after;
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    const auto answer = ask_relay(context, fmt::format("/v1/entries?{}&limit=50{}", query, after));
    if (!answer) return std::nullopt;
    for (const boost::json::value& value : answer->at("data").as_array()) {
      const boost::json::object& found = value.as_object();
      if (!found.at("entry").is_null()) continue;
      archived.push_back({member(found, "owner") + "-" + member(found, "shard"),
                          found.at("index").to_number<std::uint64_t>()});
    }
    if (answer->at("next").is_null()) return archived;
    after = "&after=" + member(*answer, "next");
  }
  return std::nullopt;
}

// The same for the entries about `token`: what was done to it, not who looked for that.
std::optional<std::vector<EntryPlace>> archived_about(const Context& context,
                                                      const std::string& token) {
  const std::string query = "token=" + http::percent_encoded(token);
  auto archived = archived_by_index(context, query);
  const auto readings = archived_by_index(context, query + "&type=log.read");
  if (!archived || !readings) return std::nullopt;
  std::erase_if(*archived, [&](const EntryPlace& place) {
    return std::ranges::find(*readings, place) != readings->end();
  });
  return archived;
}

void say_not_looked_at(const std::map<std::string, Away>& away) {
  std::map<std::uint64_t, std::uint64_t> segments;
  std::uint64_t entries = 0;
  for (const auto& [log, of_log] : away) {
    for (const auto& [segment, count] : of_log.segments) segments[segment] += count;
  }
  for (const auto& [segment, count] : segments) entries += count;
  fmt::print(stderr,
             "strongroom: not looked at: {} in {} from {} to {}; audit-relay's index would tell "
             "which are about the token, but it is not there, or has not read them\n",
             entries_text(entries), segments.size() == 1 ? "an archive" : "archives",
             audit::archive_name(segments.begin()->first),
             audit::archive_name(segments.rbegin()->first));
}

// The entries about the token: those at hand, as the log has them, and those of which audit-relay's
// index says that they are in archives.
struct Places {
  std::vector<EntryPlace> places;
  bool all_looked_at = true;
};
std::expected<Places, int> places_about(const Context& context, Prover& prover,
                                        const std::string& token) {
  auto found = prover.find(token);
  if (!found) return std::unexpected(not_proven(found.error()));
  Places about{.places = std::move(found->places)};
  if (found->away.empty()) return about;
  auto archived = index_knows(context, found->away) ? archived_about(context, token) : std::nullopt;
  about.all_looked_at = archived.has_value();
  if (!archived) {
    say_not_looked_at(found->away);
    return about;
  }
  std::ranges::move(*archived, std::back_inserter(about.places));
  return about;
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
  const std::string directory = paths->directory;
  Prover prover(files, *std::move(paths), *std::move(key), options.out);
  int status = kOk;
  std::vector<EntryPlace> places;
  if (options.token.empty()) {
    places.push_back({options.log, *options.index});
  } else {
    auto found = places_about(context, prover, options.token);
    if (!found) return found.error();
    if (found->places.empty() && found->all_looked_at) {
      return failed(kCheckFailed, "no signed entry is about this token (yet)");
    }
    places = std::move(found->places);
    if (!found->all_looked_at) status = kArchived;
  }
  std::vector<Written> written;
  for (const EntryPlace& place : places) {
    auto one = prover.prove(place);
    if (one && one->record) {
      const auto record = prover.prove(*one->record);
      if (!record) return not_proven(record.error());
    }
    if (!one) return not_proven(one.error());
    if (one->away) {
      status = failed(kArchived, fmt::format("entry {} of {} is in {}", place.index, place.log,
                                             where_archived(files, directory, *one->away)));
    }
    written.push_back(*std::move(one));
  }
  print(context, written, options.out);
  return status;
}

}  // namespace strongroom::tool

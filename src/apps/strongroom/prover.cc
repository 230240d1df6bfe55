// Finding and proving.
#include "apps/strongroom/prover.h"

#include <fmt/core.h>

#include <ranges>

#include "apps/strongroom/archived.h"
#include "apps/strongroom/audit_proof.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_bundle.h"
#include "audit/logs.h"
#include "audit/proof_file.h"
#include "audit/tree_files.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr mode_t kFileMode = 0640;

// Calls `take` with index and bytes of the entries of a bundle that are at hand; counts the
// others in `away`.
Result<void> each_entry(audit::LogReader& reader, const audit::TileId& tile, Away& away,
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

std::vector<audit::TileId> bundles(std::uint64_t size) {
  std::vector<audit::TileId> tiles = audit::new_tiles(0, size);
  std::erase_if(tiles, [](const audit::TileId& tile) { return tile.level != 0; });
  return tiles;
}

}  // namespace

std::string text_of(const AwayByLog& away) {
  std::map<std::uint64_t, std::uint64_t> segments;
  std::uint64_t entries = 0;
  for (const auto& [log, of_log] : away) {
    for (const auto& [segment, count] : of_log.segments) segments[segment] += count;
  }
  for (const auto& [segment, count] : segments) entries += count;
  return fmt::format("{} in {} from {} to {}", entries_text(entries),
                     segments.size() == 1 ? "an archive" : "archives",
                     audit::archive_name(segments.begin()->first),
                     audit::archive_name(segments.rbegin()->first));
}

std::string file_of(const EntryPlace& place) {
  return fmt::format("{}-{}", place.log, place.index);
}

Result<AwayByLog> Prover::each(const Take& take) {
  SR_TRY(const auto logs, audit::list_logs(files_, paths_.directory));
  AwayByLog away;
  for (const std::string& log : logs) SR_CHECK_OK(each_in(log, take, away));
  return away;
}

Result<Proven> Prover::prove(const EntryPlace& place) {
  SR_TRY(Signed checkpoint, best_for(place));
  if (place.index >= checkpoint.checkpoint.size) {
    return fail({ErrorCode::not_found, "no checkpoint covers such an entry (yet)"});
  }
  Proven proven{.entry = place, .record = {}, .tree_size = 0};
  SR_TRY(proven.away, away_segment(place));
  if (proven.away) return proven;
  if (!audit::is_operators(place.log)) {
    SR_TRY(const Record* record, record_of(place));
    if (record != nullptr) {
      checkpoint = record->recorded;
      proven.record = record->place;
    }
    proven.record_may_be_away = record == nullptr && passed_over_records_;
  }
  proven.tree_size = checkpoint.checkpoint.size;
  SR_CHECK_OK(show(place, checkpoint));
  return proven;
}

Result<audit::FramePlace> Prover::journal_place(const EntryPlace& place) {
  SR_TRY(audit::LogReader reader, open(place.log));
  return reader.place(place.index);
}

std::string Prover::origin(std::string_view log) const {
  return audit::log_origin(key_.place(), log);
}

Result<audit::LogReader> Prover::open(const std::string& log) {
  return audit::LogReader::open(files_, paths_.directory, log);
}

Result<Prover::Signed> Prover::opened(std::string note, std::string_view log) {
  SR_TRY(const audit::NoteVerifier verifier, key_.verifier(origin(log)));
  SR_TRY(audit::Checkpoint checkpoint, audit::open_checkpoint(note, verifier));
  return Signed{std::move(note), std::move(checkpoint)};
}

Result<Prover::Signed> Prover::newest(const std::string& log) {
  SR_TRY(audit::LogReader reader, open(log));
  SR_TRY(std::string note, reader.newest_note());
  return opened(std::move(note), log);
}

// The newest checkpoint that witnesses have cosigned; not_found.
Result<Prover::Signed> Prover::cosigned(const std::string& log) {
  SR_TRY(audit::LogReader reader, open(log));
  SR_TRY(std::string note, reader.cosigned_note());
  return opened(std::move(note), log);
}

// The newest cosigned checkpoint, where that covers the entry, else the newest.
Result<Prover::Signed> Prover::best_for(const EntryPlace& place) {
  auto witnessed = cosigned(place.log);
  if (witnessed && place.index < witnessed->checkpoint.size) return witnessed;
  if (!witnessed && witnessed.error().code() != ErrorCode::not_found) return witnessed;
  return newest(place.log);
}

// The archived segment that the entry is in; nullopt: it is at hand.
Result<std::optional<std::uint64_t>> Prover::away_segment(const EntryPlace& place) {
  SR_TRY(audit::LogReader reader, open(place.log));
  const auto entry = reader.entry(place.index);
  if (entry) return std::nullopt;
  if (entry.error().code() != ErrorCode::gone) return std::unexpected(entry.error());
  SR_TRY(const audit::FramePlace at, reader.place(place.index));
  return at.segment_first_sequence;
}

Result<void> Prover::each_in(const std::string& log, const Take& take, AwayByLog& away) {
  auto signed_for = newest(log);
  if (!signed_for && signed_for.error().code() == ErrorCode::not_found) return {};
  if (!signed_for) return std::unexpected(signed_for.error());
  SR_TRY(audit::LogReader reader, open(log));
  Away of_log;
  ProgressBar bar(log);
  const std::uint64_t size = signed_for->checkpoint.size;
  for (const audit::TileId& tile : bundles(size)) {
    const auto take_one = [&](std::uint64_t index, std::string_view json) {
      take(log, index, json);
    };
    SR_CHECK_OK(each_entry(reader, tile, of_log, take_one));
    bar.show(tile.index * audit::kTileWidth + tile.width, size);
  }
  if (of_log.end > 0) away.emplace(log, std::move(of_log));
  return {};
}

// The newest record of a checkpoint that covers the entry: one that witnesses stand for, if there
// is any; nullptr: none.
Result<const Prover::Record*> Prover::record_of(const EntryPlace& place) {
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

Result<std::optional<Prover::Record>> Prover::find_record(const std::string& log, bool witnessed) {
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
Result<std::optional<Prover::Record>> Prover::find_record_in(const std::string& operators,
                                                             std::uint64_t size,
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
Result<std::optional<std::string>> Prover::note_of(const std::string& log,
                                                   const audit::Checkpoint& checkpoint) {
  SR_TRY(const auto file,
         files_.open(audit::checkpoint_path(paths_.directory, log), audit::OpenMode::read));
  return audit::find_note(*file, checkpoint);
}

Result<void> Prover::show(const EntryPlace& place, const Signed& checkpoint) {
  SR_TRY(audit::LogReader reader, open(place.log));
  SR_TRY(const auto entry, reader.entry(place.index));
  audit::ProofFile proof{.index = place.index, .proof = {}, .checkpoint = checkpoint.note};
  SR_TRY(proof.proof, inclusion_proof(reader, place.index, checkpoint.checkpoint.size));
  const std::string text = proof_file_text(proof);
  if (out_.empty()) return verify(place, text, as_text(entry));
  const std::string path = fmt::format("{}/{}", out_, file_of(place));
  SR_CHECK_OK(write_file_durable(path + ".json", entry, kFileMode));
  SR_CHECK_OK(write_file_durable(path + ".tlog-proof", as_bytes(text), kFileMode));
  SR_TRY(const std::string entry_read, read_file(path + ".json", audit::kEntryBytesMax));
  SR_TRY(const std::string proof_read, read_file(path + ".tlog-proof", audit::kProofFileBytesMax));
  return verify(place, proof_read, entry_read);
}

Result<void> Prover::verify(const EntryPlace& place, std::string_view proof,
                            std::string_view entry) {
  SR_TRY(const ShownProof shown, show_proof(proof, entry, key_, {}));
  if (shown.index != place.index || shown.checkpoint.origin != origin(place.log)) {
    return fail({ErrorCode::corrupt, "the files hold another proof than was written"});
  }
  return {};
}

int not_proven(const Error& error) {
  const bool absent = error.code() == ErrorCode::not_found;
  return failed(absent || error.code() == ErrorCode::corrupt ? kCheckFailed : kNotReachable,
                error.what());
}

}  // namespace strongroom::tool

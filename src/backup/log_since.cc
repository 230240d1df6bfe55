// Reading a journal for what was taken away.
#include "backup/log_since.h"

#include <optional>
#include <set>
#include <utility>

#include "audit/entry_list.h"
#include "audit/entry_view.h"
#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::backup {
namespace {

using audit::EventType;
using audit::Outcome;

constexpr Error kGone{ErrorCode::gone,
                      "what was erased right after the backup is in archives: put what audit"
                      " open-archive gives of each into the log's folder, beside its journal"};

// "vaultd" or "vaultd-2". A daemon's word counts only on what is its own.
bool is_of(std::string_view instance, std::string_view daemon) {
  if (!instance.starts_with(daemon)) return false;
  instance.remove_prefix(daemon.size());
  return instance.empty() || instance.starts_with('-');
}

Operations* kind_of(LogSince& since, const audit::EntryView& entry) {
  const bool of_vaultd = is_of(entry.instance, "vaultd");
  switch (entry.event_type) {
    case EventType::token_delete:
    case EventType::token_expire:
      return of_vaultd ? &since.erasures : nullptr;
    case EventType::delete_hold:
      return of_vaultd ? &since.holds : nullptr;
    case EventType::api_key_revoke:
      return is_of(entry.instance, "authd") ? &since.revocations : nullptr;
    default:
      return nullptr;
  }
}

void take_backup(LogSince& since, const audit::EntryView& entry) {
  const bool is_one =
      entry.event_type == EventType::backup_create || entry.event_type == EventType::key_backup;
  constexpr std::string_view kBefore = "backup ";
  if (!is_one || !is_of(entry.instance, "auditd") || entry.operation != "end") return;
  if (entry.resource_count == 0 || !entry.resources[0].starts_with(kBefore)) return;
  const bool whole = entry.outcome == Outcome::success;
  // A backup ends once; what is said of it later counts for nothing.
  since.backups.try_emplace(
      {entry.event_type, std::string(entry.resources[0].substr(kBefore.size()))},
      whole ? entry.sha256 : std::nullopt);
}

// `is_new`: the entry stands behind the backup's beginning.
Result<void> take(LogSince& since, std::string_view json, bool is_new) {
  SR_TRY(const audit::EntryView entry, audit::read_entry(json));
  take_backup(since, entry);
  Operations* operations = kind_of(since, entry);
  // A single one says that there was nothing left to do, or what a run came to.
  if (operations == nullptr || entry.phase == audit::Phase::single) return {};
  const bool ended = entry.outcome != Outcome::none;
  const bool done = entry.outcome != Outcome::not_done && entry.outcome != Outcome::failed;
  if (ended && !(done && is_new)) {  // what was done before is done in the backup
    operations->erase(entry.operation_id);
  } else {
    operations->insert_or_assign(entry.operation_id, std::string(json));
  }
  return {};
}

Result<void> forget_erased_holds(LogSince& since) {
  std::set<std::string, std::less<>> erased;
  for (const auto& [operation, json] : since.erasures) {
    SR_TRY(const audit::EntryView entry, audit::read_entry(json));
    erased.emplace(entry.gateway_token);
  }
  for (auto hold = since.holds.begin(); hold != since.holds.end();) {
    SR_TRY(const audit::EntryView entry, audit::read_entry(hold->second));
    hold = erased.contains(entry.gateway_token) ? since.holds.erase(hold) : std::next(hold);
  }
  return {};
}

}  // namespace

Result<LogSince> read_log_since(audit::Files& files, const std::string& directory,
                                std::uint64_t log_before, std::uint64_t log_end) {
  SR_TRY(audit::JournalReader reader, audit::JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_oldest());
  LogSince since;
  bool first = true;
  for (std::uint64_t sequence = 0; sequence < log_end;) {
    SR_TRY(const auto frame, reader.next());
    if (!frame) return fail({ErrorCode::corrupt, "journal ends too early"});
    sequence = frame->sequence;
    if (std::exchange(first, false) && sequence > log_before + 1) return fail(kGone);
    SR_CHECK_OK(take(since, as_text(frame->entry), sequence > log_before));
  }
  SR_CHECK_OK(forget_erased_holds(since));
  return since;
}

Result<std::string> journal_entry(audit::Files& files, const std::string& directory,
                                  std::uint64_t sequence) {
  constexpr Error kNone{ErrorCode::not_found, "journal does not have this entry"};
  SR_TRY(const auto segments, audit::list_segments(files, directory));
  std::optional<std::uint64_t> segment;
  for (const std::string& name : segments) {
    const auto first = audit::sequence_of_segment(name);
    if (first && *first <= sequence) segment = first;
  }
  if (!segment) return fail(kNone);
  SR_TRY(audit::JournalReader reader, audit::JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_segment(*segment));
  while (true) {
    const auto frame = reader.next();
    const bool at_end = frame ? !frame->has_value() : reader.torn();
    if (at_end) return fail(kNone);
    if (!frame) return fail(frame.error());
    if ((*frame)->sequence == sequence) return std::string(as_text((*frame)->entry));
  }
}

std::vector<std::byte> encode(const Operations& operations) {
  std::vector<std::string> entries;
  entries.reserve(operations.size());
  for (const auto& [operation, json] : operations) entries.push_back(json);
  return audit::entry_list(entries);
}

}  // namespace strongroom::backup

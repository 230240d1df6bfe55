// Ledger: taking entries, and what follows from them.
#include "auditd/ledger.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "audit/entry_names.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using audit::EntryStatus;
using audit::EntryView;

namespace {

constexpr std::string_view kJournal = "journal";
constexpr Error kBehind{ErrorCode::unavailable, "files of the audit trees are not written"};
constexpr Error kFailedAgain{ErrorCode::unavailable, "audit journal failed again"};

}  // namespace

void Ledger::append(std::span<Submission> group) {
  std::vector<Staged> staged;
  staged.reserve(group.size());
  for (Submission& submission : group) stage(submission, staged);
  commit(staged);
}

// Archives follow the months, so a segment does as well.
Result<void> Ledger::commit_group() {
  const std::int64_t now = month_of(clock_.now_us());
  SR_CHECK_OK(journal_->commit(closing_segment_ || now > segment_month_));
  closing_segment_ = false;
  segment_month_ = now;
  return {};
}

std::int64_t month_of(std::int64_t unix_us) {
  const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(unix_us)};
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(time)};
  return std::int64_t{static_cast<int>(date.year())} * 12 + static_cast<unsigned>(date.month());
}

void Ledger::commit(std::vector<Staged>& staged) {
  if (staged.empty()) return;
  const Result<void> committed = commit_group();
  if (!committed) {
    log::error("audit journal takes no entries", {{"error", committed.error()}});
    disk_is_full_ = committed.error().detail() == ENOSPC || committed.error().detail() == EDQUOT;
    begin_failure(kJournal, committed.error().what(), clock_.now_us());
  }
  std::size_t number = 0;
  for (const Staged& item : staged) {
    item.writer->staged.clear();
    if (!committed) {
      item.submission->status = EntryStatus::uncertain;  // until recover() has cut it
    } else if (item.submission->status == EntryStatus::durable) {
      take(item, item.submission->entry, journal_->leaf_input(number),
           journal_->frame_place(number));
      ++number;
    }
  }
  staged.clear();
}

// Sets the status that the entry will have when the group is durable.
void Ledger::stage(Submission& submission, std::vector<Staged>& staged) {
  if (!accepting()) return;  // the status says unavailable
  const auto view = audit::read_entry(submission.entry);
  if (!view || view->instance != submission.instance || !is_of_now(*view) ||
      (audit::auditd_alone_writes(view->event_type) && view->instance != options_.instance)) {
    submission.status = EntryStatus::refused;
    return;
  }
  if (!admits(view->instance, room())) return;
  Writer& writer = writer_of(view->instance);
  if (writer.uids.contains(view->uid)) {
    submission.status = EntryStatus::repeated;
    return;
  }
  if (view->phase == audit::Phase::intent && writer.open_intents.size() >= kOpenIntentsMax) return;
  const bool twice = writer.staged.contains(view->uid);
  audit::Log* known = logs_.known(*view);
  if (known == nullptr && !may_begin_log(*view)) {
    submission.above_quota = true;
    return;
  }
  audit::Log& log = known != nullptr ? *known : logs_.of(*view);
  if (!twice && log.tree.size() == 0 && !begin_log(log, *view, staged)) return;
  submission.status = twice ? EntryStatus::repeated : EntryStatus::durable;
  staged.push_back({&submission, *view, &writer, &log});
  if (writer.staged.add(view->uid)) journal_->stage(submission.entry);
}

// Keys and schemas are made while no auditd runs, and auditd's own entries wait as long as they
// must.
bool Ledger::is_of_now(const EntryView& view) const {
  const std::int64_t now_ms = clock_.now_us() / 1000;
  if (view.time_ms > now_ms + kClockSkewMaxMs) return false;
  return view.time_ms >= now_ms - kEntryAgeMaxMs || view.instance == options_.instance ||
         view.event_type == audit::EventType::key_generate ||
         view.event_type == audit::EventType::schema_migrate ||
         view.event_type == audit::EventType::backup_restore;
}

// A known owner's log of this year is no new one, so that a year can begin for all at once; those
// of past years could be made up like ids.
bool Ledger::may_begin_log(const EntryView& view) {
  constexpr std::size_t kYearDigits = 4;
  if (view.instance == options_.instance) return true;
  const std::string now = rfc3339(clock_.now_us());
  const bool is_past = view.timestamp.substr(0, kYearDigits) < now.substr(0, kYearDigits);
  if (!is_past && logs_.newest_of(audit::log_owner(view)) != nullptr) return true;
  return new_logs_.take(view.instance, 1, std::chrono::steady_clock::now());
}

bool Ledger::begin_log(audit::Log& log, const EntryView& view, std::vector<Staged>& staged) {
  const std::string_view owner = audit::log_owner(view);
  const bool waits = std::ranges::any_of(
      staged, [&](const Staged& other) { return audit::log_owner(other.view) == owner; });
  if (waits) commit(staged);
  const audit::Log* before = logs_.newest_of(owner);
  if (before == nullptr || before->name == log.name) return accepting();
  const std::string origin = audit::log_origin(options_.place, before->name);
  if (audit::tells_of_a_log(view.event_type) && view.resources[0] == origin) return true;
  commit(staged);
  if (!accepting()) return false;
  audit::Entry checkpoint = entry_about(audit::EventType::log_checkpoint, *before);
  if (owner != audit::kOperator) checkpoint.merchant_id = owner;
  checkpoint.time_us = view.time_ms * 1000;  // it belongs to the same log
  return write_first(log, checkpoint);
}

// Not by stage(), which would begin the log again.
bool Ledger::write_first(audit::Log& log, audit::Entry& entry) {
  const std::string json = own_json(entry);
  const auto view = audit::read_entry(json);
  if (!view) return false;
  Submission submission{options_.instance, json, EntryStatus::durable};
  std::vector<Staged> alone{{&submission, *view, &writer_of(options_.instance), &log}};
  journal_->stage(json);
  commit(alone);
  return submission.status == EntryStatus::durable;
}

void Ledger::take(const Staged& item, std::string_view json, std::span<const std::byte> leaf_input,
                  const audit::FramePlace& place) {
  const EntryView& view = item.view;
  item.writer->uids.add(view.uid);
  if (view.phase == audit::Phase::intent) {
    item.writer->open_intents.emplace(view.operation_id, json);
  } else if (view.phase == audit::Phase::outcome) {
    item.writer->open_intents.erase(view.operation_id);
  }
  // A merchant's own log begins with one too, but only the operator's is witnessed.
  if (audit::tells_of_a_log(view.event_type) && audit::is_operators(item.log->name)) {
    const auto name = audit::name_of_origin(options_.place, view.resources[0]);
    audit::Log* log = name ? logs_.find(*name) : nullptr;
    if (log != nullptr) {
      log->recorded_size = view.tree_size.value_or(0);
      if (!is_unrecorded(*log)) unrecorded_.erase(log->name);
    }
  }
  audit::take_archive_entry(archives_, view);
  if (view.event_type == audit::EventType::log_failure) take_failure(view);
  if (view.event_type == audit::EventType::service_start) take_start(view.instance);
  ++grown_entries_;
  bytes_since_snapshot_ += audit::kFrameHeaderBytes + json.size();
  last_frame_ = place;
  last_leaf_ = audit::leaf_hash_of_input(leaf_input);
  if (item.log->growth.empty()) grown_.push_back(item.log);
  const bool was_recorded = !is_unrecorded(*item.log);
  logs_.append(*item.log, view, last_leaf_, place);
  if (was_recorded && is_unrecorded(*item.log)) unrecorded_.emplace(item.log->name, item.log);
}

// Of the operator's logs the one that grows now is witnessed itself; one of before may yet gain an
// entry that came late.
bool Ledger::is_unrecorded(const audit::Log& log) const {
  return log.tree.size() != log.recorded_size && &log != logs_.newest_of(audit::kOperator);
}

// A log.recovered that is not taken is not kept: the journal has not recovered, and the next
// attempt writes its own.
Result<void> Ledger::recover() {
  if (std::exchange(disk_is_full_, false)) release_reserve();
  if (journal_->failed()) SR_CHECK_OK(journal_->recover());
  if (is_behind()) return fail(kBehind);
  audit::Entry recovered{.event_type = audit::EventType::log_recovered, .time_us = clock_.now_us()};
  if (!write_own(recovered)) return fail(kFailedAgain);
  write_waiting();
  if (accepting()) end_failure(kJournal);
  return accepting() ? Result<void>{} : fail(kFailedAgain);
}

void Ledger::release_reserve() {
  const Result<void> released = reserve_->release();
  if (!released) return log::warn("audit reserve not released", {{"error", released.error()}});
  tell_reserve_in_use();
}

void Ledger::tell_reserve_in_use() {
  log::error("audit log's disk is full", {{"reserve_mib", reserve_->left_bytes() >> 20}});
  begin_failure(kReserve, "the disk is full, and the reserve in use", clock_.now_us());
}

void Ledger::refill() {
  if (room() == Room::everyone || !reserve_->fill()) return;
  log::info("audit log's disk has room again");
  end_failure(kReserve);
}

bool Ledger::admits(std::string_view instance, Room room) const {
  if (room == Room::everyone || instance == options_.instance) return true;
  return room == Room::reserve_writers &&
         std::ranges::find(options_.reserve_writers, instance) != options_.reserve_writers.end();
}

std::vector<std::string> Ledger::open_intents(std::string_view instance) const {
  const auto found = writers_.find(instance);
  if (found == writers_.end()) return {};
  std::vector<std::pair<OperationId, std::string_view>> sorted(found->second.open_intents.begin(),
                                                               found->second.open_intents.end());
  std::ranges::sort(sorted);  // a UUID v7 sorts by its millisecond
  std::vector<std::string> intents;
  intents.reserve(sorted.size());
  for (const auto& [operation, json] : sorted) intents.emplace_back(json);
  return intents;
}

std::size_t Ledger::open_intent_count() const noexcept {
  std::size_t count = 0;
  for (const auto& [name, writer] : writers_) count += writer.open_intents.size();
  return count;
}

std::vector<GrownLog> Ledger::take_grown(std::size_t unwritten_entries, std::size_t logs_max) {
  const auto end = grown_.begin() + static_cast<std::ptrdiff_t>(std::min(logs_max, grown_.size()));
  std::vector<GrownLog> grown;
  grown.reserve(static_cast<std::size_t>(end - grown_.begin()));
  std::size_t entries = 0;
  for (auto place = grown_.begin(); place != end; ++place) {
    audit::Log& log = **place;
    entries += log.growth.places.size();
    grown.push_back({log.name, log.tree.head(), std::exchange(log.growth, {})});
  }
  grown_.erase(grown_.begin(), end);
  grown_entries_ -= entries;
  taken_entries_ = unwritten_entries + entries;
  return grown;
}

std::map<std::string, std::uint64_t> Ledger::log_sizes() const {
  std::map<std::string, std::uint64_t> sizes;
  for (const auto& [name, log] : logs_.all()) sizes.emplace(name, log.tree.size());
  return sizes;
}

Ledger::Writer& Ledger::writer_of(std::string_view instance) {
  const auto found = writers_.find(instance);
  if (found != writers_.end()) return found->second;
  return writers_.emplace(std::string(instance), Writer{}).first->second;
}

}  // namespace strongroom::auditd

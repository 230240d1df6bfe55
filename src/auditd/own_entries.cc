// Ledger: the entries that auditd writes itself.
#include <fmt/core.h>

#include <algorithm>

#include "audit/archive.h"
#include "audit/entry.h"
#include "auditd/ledger.h"
#include "auditd/refusal.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {
namespace {

constexpr std::size_t kOwnWaitingMax = 64;
constexpr std::size_t kOwnGroupMax = 256;
// Of one writer; beyond it they are not noted, so that none fills the memory.
constexpr std::ptrdiff_t kRecordedFailuresMax = 32;
constexpr Error kNotTaken{ErrorCode::unavailable, "audit journal did not take the entry"};
constexpr Error kJustBroken{ErrorCode::conflict,
                            "new shards were opened in this second, or the clock was set back"};

audit::Entry end_of(std::string_view control, const audit::FailureRecord& failure) {
  return {.operation_id = failure.id,
          .event_type = audit::EventType::log_failure,
          .outcome = audit::Outcome::success,
          .operation = failure.cause,
          .resources = {std::string(control)}};
}

std::string beginning_of(std::string_view instance) { return fmt::format("{}\n", instance); }

}  // namespace

audit::Entry Ledger::entry_about(audit::EventType type, const audit::Log& log) const {
  return {.event_type = type,
          .time_us = clock_.now_us(),
          .resources = {audit::log_origin(options_.place, log.name)},
          .tree_size = log.tree.size(),
          .tree_root = log.tree.root()};
}

void Ledger::record_checkpoints(std::size_t logs_max) {
  std::vector<std::string> entries;
  entries.reserve(std::min(logs_max, unrecorded_.size()));
  for (const auto& [name, log] : unrecorded_) {
    if (entries.size() == logs_max) break;
    audit::Entry checkpoint = entry_about(audit::EventType::log_checkpoint, *log);
    std::string json = own_json(checkpoint);
    // With a clock that was set back into the last year: no log can tell of itself.
    if (const auto view = audit::read_entry(json); view && logs_.known(*view) == log) continue;
    entries.push_back(std::move(json));
  }
  append_own(entries);  // what is not taken now is recorded the next time
}

Result<std::string> Ledger::open_new_shards(std::string reason, std::string user) {
  const audit::Log* before = logs_.newest_of(audit::kOperator);
  audit::Entry entry{.event_type = audit::EventType::log_break};
  if (before != nullptr) entry = entry_about(audit::EventType::log_break, *before);
  entry.time_us = clock_.now_us();
  entry.user = std::move(user);
  entry.reason = std::move(reason);
  if (audit::break_time(rfc3339(entry.time_us)) <= logs_.broken_at()) return fail(kJustBroken);
  const bool was_refusing = std::exchange(refusing_, false);
  if (!write_own(entry)) {
    refusing_ = was_refusing;
    return fail(kNotTaken);
  }
  write_waiting();
  return logs_.broken_at();
}

void Ledger::refuse_break() noexcept {
  logs_.forget_break();
  refuse();
}

void Ledger::record_recovery(const audit::Recovery& recovery) {
  record_own({.event_type = audit::EventType::log_recovered,
              .resources = {recovery.file},
              .old_size_bytes = recovery.old_size_bytes,
              .new_size_bytes = recovery.new_size_bytes});
}

Result<void> Ledger::record_archive(const ArchiveNote& note) {
  audit::Entry entry{.event_type = audit::EventType::log_archive,
                     .time_us = clock_.now_us(),
                     .user = note.user,
                     .operation = std::string(to_string(note.act)),
                     .resources = {"journal"},
                     .sha256 = note.sha256};
  if (note.first_sequence) entry.resources = {audit::archive_name(*note.first_sequence)};
  if (note.until_ms) entry.until_ms = static_cast<std::uint64_t>(*note.until_ms);
  return write_own(entry) ? Result<void>{} : fail(kNotTaken);
}

Result<void> Ledger::record_intent(audit::Entry intent) {
  if (!refusing_) return write_own(intent) ? Result<void>{} : fail(kNotTaken);
  record_own(std::move(intent));
  return {};
}

void Ledger::record_own(audit::Entry entry) {
  if (entry.time_us == 0) entry.time_us = clock_.now_us();  // else it waited: it says since when
  if (write_own(entry)) return;
  if (own_waiting_.size() < kOwnWaitingMax) return own_waiting_.push_back(std::move(entry));
  log::error("an audit entry is lost", {{"event_type", audit::name(entry.event_type)}});
}

void Ledger::write_waiting() {
  if (!accepting()) return;
  end_outlasted();
  if (own_waiting_.empty()) return;
  for (audit::Entry& entry : std::exchange(own_waiting_, {})) record_own(std::move(entry));
  if (!tells_refusal_ || !own_waiting_.empty()) return;
  const Result<void> forgotten = forget_refusal(files_, options_.directory);
  if (!forgotten) log::warn("a refused start stays noted", {{"error", forgotten.error()}});
  tells_refusal_ = false;
}

// In groups: one writer's failures must not hold up the others for a sync each. What is taken is
// outlasted no more (take_failure()).
void Ledger::end_outlasted() {
  std::vector<std::string> ends;
  ends.reserve(outlasted_.size());
  for (const auto& [control, failure] : outlasted_) {
    audit::Entry end = end_of(control, failure);
    end.time_us = clock_.now_us();
    ends.push_back(own_json(end));
  }
  append_own(ends);
}

void Ledger::append_own(std::span<const std::string> entries) {
  while (!entries.empty()) {
    const auto group = entries.first(std::min(entries.size(), kOwnGroupMax));
    std::vector<Submission> submissions;
    submissions.reserve(group.size());
    for (const std::string& json : group) submissions.push_back({options_.instance, json});
    append(submissions);
    entries = entries.subspan(group.size());
  }
}

std::string Ledger::own_json(audit::Entry& entry) {
  entry.uid = crypto::new_entry_id(random_, clock_);
  if (entry.phase == audit::Phase::single && entry.outcome == audit::Outcome::none) {
    entry.outcome = audit::Outcome::success;
  }
  return audit::to_json(entry, options_.instance);
}

bool Ledger::write_own(audit::Entry& entry) {
  const std::string json = own_json(entry);
  Submission submission{options_.instance, json};
  append(std::span(&submission, 1));
  return submission.status == audit::EntryStatus::durable;
}

void Ledger::begin_failure(std::string_view control, std::string_view cause,
                           std::int64_t since_us) {
  const auto [failure, begins] = failures_.try_emplace(std::string(control));
  if (!begins) return;
  failure->second = {crypto::new_operation_id(random_, clock_), std::string(cause)};
  record_own({.operation_id = failure->second.id,
              .event_type = audit::EventType::log_failure,
              .outcome = audit::Outcome::failed,
              .time_us = since_us,
              .operation = failure->second.cause,
              .resources = {std::string(control)}});
}

void Ledger::end_failure(std::string_view control) {
  const auto found = failures_.find(control);
  if (found == failures_.end()) return;
  const audit::FailureRecord failure = std::move(found->second);
  failures_.erase(found);
  record_own(end_of(control, failure));
}

void Ledger::take_failure(const audit::EntryView& view) {
  const bool is_own = view.instance == options_.instance;
  const std::string beginning = is_own ? "" : beginning_of(view.instance);
  const std::string name = fmt::format("{}{}", beginning, view.resources[0]);
  if (view.outcome == audit::Outcome::failed) {
    const auto is_his = [&](const auto& failure) { return failure.first.starts_with(beginning); };
    if (!is_own && std::ranges::count_if(recorded_failures_, is_his) >= kRecordedFailuresMax)
      return;
    recorded_failures_.insert_or_assign(
        name, audit::FailureRecord{view.operation_id, std::string(view.operation)});
    return;
  }
  const auto found = recorded_failures_.find(name);
  const bool ends = found != recorded_failures_.end() && found->second.id == view.operation_id;
  if (ends) recorded_failures_.erase(found);
  if (!is_own) return;
  std::erase_if(outlasted_,
                [&view](const auto& failure) { return failure.second.id == view.operation_id; });
}

// What a process told of and did not see the end of, nobody else will end.
void Ledger::take_start(std::string_view instance) {
  const std::string beginning = beginning_of(instance);
  auto failure = recorded_failures_.lower_bound(beginning);
  while (failure != recorded_failures_.end() && failure->first.starts_with(beginning)) {
    outlasted_.emplace_back(failure->first.substr(beginning.size()), std::move(failure->second));
    failure = recorded_failures_.erase(failure);
  }
}

// That this start works is the end of it.
void Ledger::tell_refusal_of_before() {
  const auto refusal = noted_refusal(files_, options_.directory);
  if (!refusal) return;
  const audit::FailureRecord failure{crypto::new_operation_id(random_, clock_), refusal->cause};
  audit::Entry end = end_of(audit::kHistory, failure);
  audit::Entry begin = end;
  begin.outcome = audit::Outcome::failed;
  begin.time_us = std::min(refusal->since_us, clock_.now_us());
  end.time_us = clock_.now_us();
  own_waiting_.push_back(std::move(begin));
  own_waiting_.push_back(std::move(end));
  tells_refusal_ = true;
}

// The process ended in between, and does not know what came of it.
void Ledger::close_intents_of_before() {
  for (const std::string& json : open_intents(options_.instance)) {
    const auto intent = audit::parse_entry(json);
    if (!intent) continue;
    own_waiting_.push_back(
        audit::outcome_of(*intent, audit::Outcome::unknown, EntryId{}, clock_.now_us()));
  }
}

// What fails still is told anew; but for the reserve, which one knows of. Other writers may run on.
void Ledger::end_failures_of_before() {
  for (const auto& [control, failure] : recorded_failures_) {
    if (control.contains('\n')) continue;
    if (control == kReserve && room() != Room::everyone) {
      failures_.emplace(control, failure);
    } else {
      audit::Entry end = end_of(control, failure);
      end.time_us = clock_.now_us();
      own_waiting_.push_back(std::move(end));
    }
  }
}

}  // namespace strongroom::auditd

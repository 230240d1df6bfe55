// Writer.
#include "auditd/writer.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using async::Task;
using audit::EntryStatus;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kRecoveryPause{1};

}  // namespace

Writer::Metrics::Metrics(Registry& registry)
    : entries(registry.counter("strongroom_audit_entries_total", "Entries made durable.")),
      repeated(registry.counter("strongroom_audit_repeated_total", "Entries sent again.")),
      refused(registry.counter("strongroom_audit_refused_total", "Entries of a wrong form.")),
      unavailable(registry.counter("strongroom_audit_unavailable_total",
                                   "Entries that the journal did not take.")),
      above_quota(registry.counter("strongroom_audit_above_quota_total",
                                   "Entries that a writer had above a quota.")),
      new_logs_refused(registry.counter(
          "strongroom_audit_new_logs_refused_total",
          "Of those above a quota, entries that would have begun more logs than a writer may.")),
      group_entries(registry.histogram("strongroom_audit_group_entries", "Entries per fdatasync.",
                                       batch_buckets())),
      group_duration(registry.histogram("strongroom_audit_group_seconds",
                                        "Time to make a group durable.", duration_buckets_us())),
      accepting(registry.gauge("strongroom_audit_accepting", "1 while entries are taken.")),
      reserve_used(registry.gauge("strongroom_audit_reserve_used",
                                  "1 while the disk is full and its reserve in use.")),
      open_intents(registry.gauge("strongroom_audit_open_intents", "Intents without outcome.")),
      sequence(registry.gauge("strongroom_audit_sequence", "Entries in the journal.")) {}

Writer::Writer(async::Loop& loop, std::unique_ptr<Ledger> ledger, Registry& metrics,
               std::uint64_t quota_bytes_per_minute, std::move_only_function<void()> on_state)
    : loop_(loop),
      ledger_(std::move(ledger)),
      metrics_(metrics),
      on_state_(std::move(on_state)),
      quotas_({.at_once = quota_bytes_per_minute, .per_minute = quota_bytes_per_minute}),
      accepting_(ledger_->accepting()),
      room_(ledger_->room()),
      thread_([this] { run(); }) {}

Writer::~Writer() { SR_CHECK(!thread_.joinable()); }

// Hands a job to the thread; the job lives in the frame of the coroutine that waits for it.
struct Writer::Enqueued {
  Writer& writer;
  Job& job;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    job.waiter = waiter;
    const std::lock_guard lock(writer.mutex_);
    writer.waiting_.push_back(&job);
    if (!job.submissions.empty()) {
      writer.waiting_entries_.try_emplace(std::string(job.instance)).first->second +=
          job.submissions.size();
    }
    writer.wake_.notify_one();
  }
  void await_resume() const noexcept {}
};

Task<std::vector<EntryStatus>> Writer::append(std::string_view instance,
                                              std::span<const std::string_view> entries) {
  Job job;
  job.instance = instance;
  for (const std::string_view entry : entries) {
    job.submissions.push_back({instance, entry});
    job.bytes += entry.size();
  }
  // What is turned away waits its turn too: answers keep the order of the appends.
  const bool full = is_full(instance, entries.size());
  const bool above_quota = !full && !quotas_.take(instance, job.bytes, steady_clock::now());
  if (above_quota) metrics_.above_quota.add(entries.size());
  if (full || above_quota) job.question = [](Ledger&) {};
  co_await Enqueued{*this, job};
  std::vector<EntryStatus> statuses;
  statuses.reserve(job.submissions.size());
  for (const Submission& submission : job.submissions) statuses.push_back(submission.status);
  co_return statuses;
}

Task<std::vector<std::string>> Writer::open_intents(std::string_view instance) {
  std::vector<std::string> intents;
  Job job;
  job.question = [&](Ledger& ledger) { intents = ledger.open_intents(instance); };
  co_await Enqueued{*this, job};
  co_return intents;
}

Task<Writer::Grown> Writer::take_grown(std::size_t unwritten_entries,
                                       std::uint64_t snapshot_bytes_min, bool record) {
  if (record) co_await record_checkpoints();
  Grown grown;
  std::size_t left = 0;
  Job look;
  look.question = [&](Ledger& ledger) { left = ledger.grown_logs(); };
  co_await Enqueued{*this, look};
  for (bool last = false; !last; left -= std::min(left, kTakenLogs)) {
    last = left <= kTakenLogs;
    std::vector<GrownLog> some;
    Job job;
    job.question = [&](Ledger& ledger) {
      some = last ? ledger.take_grown(unwritten_entries)
                  : ledger.take_grown(unwritten_entries, kTakenLogs);
      if (last) grown.snapshot = ledger.take_snapshot(snapshot_bytes_min);
    };
    co_await Enqueued{*this, job};
    for (GrownLog& log : some) {
      unwritten_entries += log.growth.places.size();
      grown.logs.push_back(std::move(log));
    }
  }
  co_return grown;
}

// As many times as it takes for those that there are at the beginning; others may come meanwhile.
Task<void> Writer::record_checkpoints() {
  std::size_t left = 0;
  Job job;
  job.question = [&](Ledger& ledger) { left = ledger.unrecorded_logs(); };
  co_await Enqueued{*this, job};
  while (left > 0) {
    Job page;
    page.question = [](Ledger& ledger) { ledger.record_checkpoints(kRecordedLogs); };
    co_await Enqueued{*this, page};
    left -= std::min(left, kRecordedLogs);
  }
}

Task<void> Writer::lose_snapshot() {
  Job job;
  job.question = [](Ledger& ledger) { ledger.lose_snapshot(); };
  co_await Enqueued{*this, job};
}

Task<void> Writer::refuse() {
  Job job;
  job.question = [](Ledger& ledger) { ledger.refuse(); };
  co_await Enqueued{*this, job};
}

Task<Result<std::string>> Writer::open_new_shards(std::string reason, std::string user) {
  Result<std::string> opened;
  Job job;
  job.question = [&](Ledger& ledger) {
    opened = ledger.open_new_shards(std::move(reason), std::move(user));
  };
  co_await Enqueued{*this, job};
  co_return opened;
}

Task<Result<void>> Writer::record_archive(const Ledger::ArchiveNote& note, bool close_segment) {
  Result<void> recorded;
  Job job;
  job.question = [&](Ledger& ledger) {
    if (close_segment) ledger.close_segment();
    recorded = ledger.record_archive(note);
  };
  co_await Enqueued{*this, job};
  co_return recorded;
}

Task<audit::ArchiveRecords> Writer::archives() {
  audit::ArchiveRecords records;
  Job job;
  job.question = [&](Ledger& ledger) { records = ledger.archives(); };
  co_await Enqueued{*this, job};
  co_return records;
}

Task<void> Writer::record_stop() {
  Job job;
  job.question = [](Ledger& ledger) {
    ledger.record_checkpoints();
    ledger.record_own({.event_type = audit::EventType::log_stop});
  };
  co_await Enqueued{*this, job};
}

Task<void> Writer::record_own(audit::Entry entry) {
  Job job;
  job.question = [&](Ledger& ledger) { ledger.record_own(std::move(entry)); };
  co_await Enqueued{*this, job};
}

Task<Result<void>> Writer::record_intent(audit::Entry intent) {
  Result<void> recorded;
  Job job;
  job.question = [&](Ledger& ledger) { recorded = ledger.record_intent(std::move(intent)); };
  co_await Enqueued{*this, job};
  co_return recorded;
}

Task<void> Writer::record_failure(std::string control, std::string_view cause,
                                  std::int64_t since_us) {
  Job job;
  job.question = [&](Ledger& ledger) {
    if (cause.empty()) {
      ledger.end_failure(control);
    } else {
      ledger.begin_failure(control, cause, since_us);
    }
  };
  co_await Enqueued{*this, job};
}

std::vector<Writer::AboveQuota> Writer::above_quota(Quotas::Time since) {
  std::vector<AboveQuota> above;
  for (const auto& [instance, lasts] : quotas_.turned_away(since)) {
    above.push_back({"quota of " + instance, "more than quota_mib_per_minute", lasts});
  }
  for (const auto& [instance, lasts] : ledger_->new_logs().turned_away(since)) {
    above.push_back({"new logs of " + instance,
                     "more new logs than 10,000 at once and then ten a second", lasts});
  }
  return above;
}

bool Writer::is_full(std::string_view instance, std::size_t more) {
  const std::lock_guard lock(mutex_);
  const auto waiting = waiting_entries_.find(instance);
  return waiting != waiting_entries_.end() && waiting->second + more > kWaitingEntriesMax;
}

void Writer::end() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void Writer::run() {
  ledger_->record_own({.event_type = audit::EventType::log_start});
  ledger_->write_waiting();
  auto next_recovery = steady_clock::now() + kRecoveryPause;
  std::unique_lock lock(mutex_);
  while (!stopping_ || !waiting_.empty()) {
    publish_state();
    const auto due = [this] { return stopping_ || !waiting_.empty(); };
    const bool well =
        ledger_->refusing() || (ledger_->accepting() && ledger_->room() == Room::everyone);
    if (well) {
      wake_.wait(lock, due);
    } else {
      wake_.wait_until(lock, next_recovery, due);
    }
    const std::vector<Job*> group = next_group();
    lock.unlock();
    mark_busy(true);
    if (!group.empty()) write(group);
    if (!well && steady_clock::now() >= next_recovery) {
      try_to_recover();
      next_recovery = steady_clock::now() + kRecoveryPause;
    }
    ledger_->write_waiting();
    mark_busy(false);
    lock.lock();
  }
}

// A question alone, or the appends before the next question, as far as they fit a group.
std::vector<Writer::Job*> Writer::next_group() {
  std::vector<Job*> group;
  std::size_t entries = 0;
  std::size_t bytes = 0;
  while (!waiting_.empty()) {
    Job& job = *waiting_.front();
    entries += job.submissions.size();
    bytes += job.bytes;
    const bool fits = entries <= kGroupEntriesMax && bytes <= kGroupBytesMax && !job.question;
    if (!group.empty() && !fits) break;
    group.push_back(&job);
    waiting_.pop_front();
    if (!job.submissions.empty()) {
      waiting_entries_.find(job.instance)->second -= job.submissions.size();
    }
    if (job.question) break;
  }
  return group;
}

void Writer::write(const std::vector<Job*>& group) {
  if (group.front()->question) {
    group.front()->question(*ledger_);
  } else {
    std::vector<Submission> submissions;
    for (const Job* job : group) {
      submissions.insert(submissions.end(), job->submissions.begin(), job->submissions.end());
    }
    const auto start = steady_clock::now();
    ledger_->append(submissions);
    count(submissions, steady_clock::now() - start);
    auto from = submissions.begin();
    for (Job* job : group) {
      std::copy_n(from, job->submissions.size(), job->submissions.begin());
      from += static_cast<std::ptrdiff_t>(job->submissions.size());
    }
  }
  // One wake-up of the loop for the whole group.
  std::vector<std::coroutine_handle<>> waiters;
  waiters.reserve(group.size());
  for (const Job* job : group) waiters.push_back(job->waiter);
  grown_ = ledger_->has_grown();
  loop_.post([waiters = std::move(waiters)] {
    for (const std::coroutine_handle<> waiter : waiters) waiter.resume();
  });
}

void Writer::count(std::span<const Submission> group, steady_clock::duration took) {
  std::size_t durable = 0;
  for (const Submission& submission : group) {
    switch (submission.status) {
      case EntryStatus::durable:
        ++durable;
        break;
      case EntryStatus::repeated:
        metrics_.repeated.add();
        break;
      case EntryStatus::refused:
        metrics_.refused.add();
        break;
      case EntryStatus::unavailable:
      case EntryStatus::uncertain:
        metrics_.unavailable.add();
        break;
    }
    if (!submission.above_quota) continue;
    metrics_.above_quota.add();
    metrics_.new_logs_refused.add();
  }
  metrics_.entries.add(durable);
  metrics_.group_entries.observe(static_cast<std::int64_t>(group.size()));
  metrics_.group_duration.observe(
      std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  metrics_.sequence.set(static_cast<std::int64_t>(ledger_->next_sequence() - 1));
  metrics_.open_intents.set(static_cast<std::int64_t>(ledger_->open_intent_count()));
}

void Writer::mark_busy(bool busy) noexcept {
  const auto now = steady_clock::now().time_since_epoch();
  busy_since_ms_ = busy ? std::chrono::duration_cast<std::chrono::milliseconds>(now).count() : 0;
}

std::chrono::milliseconds Writer::busy_for() const noexcept {
  const std::chrono::milliseconds since(busy_since_ms_.load());
  if (since.count() == 0) return since;
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             steady_clock::now().time_since_epoch()) -
         since;
}

void Writer::try_to_recover() {
  if (ledger_->accepting()) return ledger_->refill();
  const Result<void> recovered = ledger_->recover();
  if (recovered) {
    log::info("audit journal takes entries again");
  } else {
    log::warn("audit journal still takes no entries", {{"error", recovered.error()}});
  }
}

// Tells the loop when the journal has stopped or begun to take entries, of everyone or of some.
void Writer::publish_state() {
  grown_ = ledger_->has_grown();
  const bool accepting = ledger_->accepting();
  const Room room = ledger_->room();
  metrics_.accepting.set(accepting ? 1 : 0);
  metrics_.reserve_used.set(room == Room::everyone ? 0 : 1);
  const bool was_accepting = accepting_.exchange(accepting);
  const Room had_room = room_.exchange(room);
  if (was_accepting != accepting || had_room != room) loop_.post([this] { on_state_(); });
}

}  // namespace strongroom::auditd

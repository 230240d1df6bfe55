// Auditd: wires intake, writer and signer.
#include "auditd/auditd.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "audit/logs.h"
#include "auditd/closed_files.h"
#include "auditd/refusal.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using async::Task;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kPoll{1};
constexpr std::chrono::minutes kSnapshotPause{1};  // after one that could not be written
constexpr std::uint64_t kNoSnapshot = std::numeric_limits<std::uint64_t>::max();
constexpr std::chrono::minutes kArchiveFirst{1};
constexpr std::chrono::hours kArchiveEvery{1};

constexpr Error kNotTaken{ErrorCode::unavailable, "audit journal did not take the entries"};
constexpr Error kNobodysWord{ErrorCode::permission_denied, "no witness is set"};

// REQUIRES: `lock`, which goes into the store, is that of the folder.
Result<Store> open_locked(audit::Files& files, const Clock& clock, crypto::Random& random,
                          const StoreOptions& options, crypto::Ed25519Signer signer,
                          const std::string& place, FileLock& lock) {
  const crypto::Ed25519PublicKey public_key = signer.public_key();
  SR_TRY(Checkpoints checkpoints,
         Checkpoints::open(files, options.directory, place, std::move(signer)));
  SR_TRY(std::unique_ptr<Ledger> ledger, Ledger::open(files, clock, random,
                                                      {.directory = options.directory,
                                                       .instance = options.instance,
                                                       .place = place,
                                                       .public_key = public_key,
                                                       .journal = options.journal,
                                                       .replay = options.replay,
                                                       .reserve_bytes = options.reserve_bytes,
                                                       .reserve_writers = options.reserve_writers,
                                                       .new_logs = options.new_logs},
                                                      checkpoints.last_signed()));
  SR_TRY(Witnessed witnessed, Witnessed::open(files, clock,
                                              {.directory = options.directory,
                                               .place = place,
                                               .public_key = public_key,
                                               .witnesses = options.witnesses,
                                               .sizes_at_start = ledger->log_sizes(),
                                               .broken_at = ledger->broken_at()}));
  if (witnessed.rolled_back()) ledger->refuse();
  if (witnessed.doubts_break()) ledger->refuse_break();
  SR_TRY(const Checkpoints::Mended mended, checkpoints.mend());
  for (const audit::Recovery& recovery : mended.recoveries) ledger->record_recovery(recovery);
  std::vector<GrownLog> unsigned_logs = ledger->unsigned_logs(mended.published);
  const bool immutable = make_closed_files_immutable(files, options.directory);
  return Store{std::move(lock),
               std::move(checkpoints),
               std::move(witnessed),
               std::move(ledger),
               std::move(unsigned_logs),
               immutable,
               &clock,
               &files,
               &random,
               options.directory,
               options.instance};
}

}  // namespace

Result<Store> Store::open(audit::Files& files, const Clock& clock, crypto::Random& random,
                          const StoreOptions& options, crypto::Ed25519Signer signer) {
  SR_TRY(const std::string place, audit::log_place(options.trust_domain, options.instance));
  SR_TRY(FileLock lock, FileLock::acquire(options.directory + "/lock"));
  auto store = open_locked(files, clock, random, options, std::move(signer), place, lock);
  if (!store && store.error().code() == ErrorCode::corrupt) {
    const Refusal refusal{.since_us = clock.now_us(), .cause = std::string(store.error().what())};
    const Result<void> noted = note_refusal(files, options.directory, refusal);
    if (!noted) log::warn("that auditd refuses its log is not noted", {{"error", noted.error()}});
  }
  return store;
}

Auditd::Auditd(async::Loop& loop, Store store, Registry& metrics, AuditdOptions options)
    : loop_(loop),
      clock_(*store.clock),
      files_(*store.files),
      random_(*store.random),
      instance_(std::move(store.instance)),
      options_(std::move(options)),
      lock_(std::move(store.lock)),
      checkpoints_(std::move(store.checkpoints)),
      witnessed_(std::move(store.witnessed)),
      pool_(std::make_unique<async::BlockingPool>(1, 1)),
      signed_(metrics.counter("strongroom_audit_checkpoints_total", "Checkpoints signed.")),
      signing_gauge_(metrics.gauge("strongroom_audit_signing", "1 while checkpoints are signed.")),
      witnessed_gauge_(
          metrics.gauge("strongroom_audit_witnessed_time_seconds",
                        "When a witness last cosigned since the start, Unix time; 0: never.")),
      rolled_back_gauge_(metrics.gauge("strongroom_audit_rolled_back",
                                       "1 when the log lacks what was signed for.")),
      unsigned_gauge_(metrics.gauge("strongroom_audit_unsigned_seconds",
                                    "How long entries have waited for a checkpoint.")),
      immutable_gauge_(metrics.gauge("strongroom_audit_immutable",
                                     "1 while closed files of the log are immutable.")),
      immutable_(store.immutable),
      has_witnesses_(witnessed_.has_witnesses()),
      started_us_(clock_.now_us()),
      rolled_back_(witnessed_.rolled_back()),
      doubts_break_(witnessed_.doubts_break()),
      unsigned_(std::move(store.unsigned_logs)) {
  signing_gauge_.set(1);
  rolled_back_gauge_.set(rolled_back_ ? 1 : 0);
  immutable_gauge_.set(immutable_ ? 1 : 0);
}

Result<std::unique_ptr<Auditd>> Auditd::start(async::Loop& loop, Store store, Registry& metrics,
                                              AuditdOptions options) {
  std::unique_ptr<Ledger> ledger = std::move(store.ledger);
  audit::Files& files = *store.files;
  crypto::Random& random = *store.random;
  std::string directory = store.directory;
  std::unique_ptr<Auditd> auditd(new Auditd(loop, std::move(store), metrics, std::move(options)));
  Auditd& self = *auditd;
  self.writer_ = std::make_unique<Writer>(loop, std::move(ledger), metrics,
                                          self.options_.quota_bytes_per_minute, [&self] {
                                            if (self.intake_) self.intake_->tell_state(self.hangs_);
                                          });
  self.failures_ = std::make_unique<Failures>(*self.writer_, self.clock_);
  self.own_log_ = std::make_unique<OwnLog>(*self.writer_, self.instance_);
  self.denials_ = std::make_unique<audit::Denials>(loop, *self.own_log_, random, self.clock_);
  auto intake = Intake::listen(loop, *self.writer_, *self.denials_, self.options_.socket_path,
                               self.options_.users);
  if (!intake) {
    self.writer_->end();
    return std::unexpected(intake.error());
  }
  self.intake_ = *std::move(intake);
  if (self.options_.archive_key) {
    self.archivist_.emplace(
        loop, *self.writer_, self.clock_,
        Shelf(files, random, std::move(directory), *std::move(self.options_.archive_key)),
        self.options_.retention, [&self] { return self.keep_snapshot(); });
  }
  self.ticking_ = 3;
  async::spawn(self.sign_regularly());
  async::spawn(self.watch_regularly());
  async::spawn(self.archive_regularly());
  return auditd;
}

Auditd::~Auditd() { SR_CHECK(ticking_ == 0); }

// The first checkpoint, which has log.start, at once: no witness can have seen it before.
Task<void> Auditd::sign_regularly() {
  auto last = steady_clock::now() - options_.checkpoint_interval;
  auto recorded = steady_clock::now();
  while (!draining_) {
    co_await next_beat();
    const auto now = steady_clock::now();
    if (busy_) continue;
    // A journal that waits for the files of the trees goes on once it hears that they were written.
    const bool work = writer_->has_grown() || !unsigned_.empty() || !writer_->accepting();
    if (!work || now - last < options_.checkpoint_interval) continue;
    last = now;
    const bool record = now - recorded >= options_.record_interval;
    if (record) recorded = now;
    const std::uint64_t bytes_min = now < next_snapshot_ ? kNoSnapshot : kSnapshotEveryBytes;
    const auto outcome = co_await sign({.record = record, .snapshot_bytes_min = bytes_min});
    if (!outcome) log::error("audit checkpoints are not signed", {{"error", outcome.error()}});
  }
  --ticking_;
}

Task<void> Auditd::archive_regularly() {
  auto next = steady_clock::now() + kArchiveFirst;
  while (!draining_ && archivist_) {
    co_await next_beat();
    if (steady_clock::now() < next || archivist_->busy() || draining_) continue;
    next = steady_clock::now() + kArchiveEvery;
    std::string nobody;
    const auto made = co_await archivist_->archive_due(std::move(nobody));
    archiving_works_ = made.has_value() || draining_;
    if (!made) log::error("audit log is not archived", {{"error", made.error()}});
  }
  --ticking_;
}

Task<Result<void>> Auditd::keep_snapshot() {
  const auto outcome = co_await sign({.snapshot_bytes_min = 0});
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Result<void>{};
}

std::int64_t Auditd::attested_now_ms() const {
  const std::int64_t now_ms = clock_.now_us() / 1000;
  if (!has_witnesses_) return now_ms;
  return newest_ ? std::min(now_ms, newest_->time_s * 1000) : 0;
}

Task<Result<void>> Auditd::record_made(const std::vector<audit::Entry>& entries) {
  std::vector<std::string> texts;
  texts.reserve(entries.size());
  for (const audit::Entry& entry : entries) texts.push_back(audit::to_json(entry, instance_));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto statuses = co_await writer_->append(instance_, views);
  const bool all = std::ranges::all_of(statuses, [](audit::EntryStatus status) {
    return status == audit::EntryStatus::durable || status == audit::EntryStatus::repeated;
  });
  co_return all ? Result<void>{} : fail(kNotTaken);
}

Task<Result<void>> Auditd::record_asked(audit::Entry entry) {
  entry.uid = crypto::new_entry_id(random_, clock_);
  entry.time_us = clock_.now_us();
  const std::vector<audit::Entry> one{std::move(entry)};
  co_return co_await record_made(one);
}

Task<Result<std::size_t>> Auditd::checkpoint_now() { co_return co_await sign({.record = true}); }

Task<void> Auditd::be_alone() {
  while (busy_) co_await loop_.sleep_for(kPoll);
  busy_ = true;
}

// A signature would be the proof of a break in doubt.
Task<Result<std::size_t>> Auditd::sign(Signing what) {
  if (doubts_break_) co_return std::size_t{0};
  co_await be_alone();
  const auto signed_count = co_await sign_alone(what);
  busy_ = false;
  co_return signed_count;
}

// REQUIRES: be_alone().
Task<Result<std::size_t>> Auditd::sign_alone(Signing what) {
  Writer::Grown grown =
      co_await writer_->take_grown(unwritten_entries(), what.snapshot_bytes_min, what.record);
  keep(std::move(grown.logs));
  const std::size_t count = unsigned_.size();
  std::string newest;  // of several at once
  for (const GrownLog& log : unsigned_) {
    if (!audit::is_operators(log.name) || log.name < newest) continue;
    newest = log.name;
    operators_ = {log.name, log.head.size};
  }
  Result<void> published;
  if (count > 0 || grown.snapshot) {
    auto work = [this, snapshot = std::move(grown.snapshot)] { return publish(snapshot); };
    published = co_await pool_->run(loop_, std::move(work));
    if (!snapshot_kept_) {
      co_await writer_->lose_snapshot();
      next_snapshot_ = steady_clock::now() + kSnapshotPause;
    }
  }
  signing_works_ = published.has_value();
  if (signing_works_) unsigned_since_.reset();
  signed_.add(count - unsigned_.size());
  if (!published) co_return std::unexpected(published.error());
  co_return count;
}

// A start without a snapshot takes longer, and that is all.
Result<void> Auditd::publish(const std::optional<audit::Snapshot>& snapshot) {
  snapshot_kept_ = !snapshot;
  if (!unsigned_.empty()) SR_CHECK_OK(checkpoints_.publish(unsigned_));
  const Result<void> kept = snapshot ? checkpoints_.keep(*snapshot) : Result<void>{};
  snapshot_kept_ = kept.has_value();
  if (!kept) log::warn("audit snapshot not written", {{"error", kept.error()}});
  return {};
}

std::size_t Auditd::unwritten_entries() const {
  std::size_t entries = 0;
  for (const GrownLog& log : unsigned_) entries += log.growth.places.size();
  return entries;
}

// What could not be written or signed yet is tried together with what has grown since.
void Auditd::keep(std::vector<GrownLog> grown) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < unsigned_.size(); ++i) places.emplace(unsigned_[i].name, i);
  for (GrownLog& log : grown) {
    const auto [same, is_new] = places.try_emplace(log.name, unsigned_.size());
    if (is_new) {
      unsigned_.push_back(std::move(log));
    } else {
      GrownLog& waiting = unsigned_[same->second];
      waiting.head = log.head;
      waiting.growth.join(std::move(log.growth));
    }
  }
}

Task<Result<Heard>> Auditd::take_note(std::string note, std::string carrier) {
  SR_CO_TRY(const audit::Note parsed, audit::parse_note(note));
  SR_CO_TRY(const audit::Checkpoint seen, audit::parse_checkpoint_text(parsed.text));
  auto judge = [this, note = std::move(note)] {
    return witnessed_.take_note(note, checkpoints_.last_signed());
  };
  audit::Entry entry = carried(seen, std::move(carrier));
  co_return co_await hear(std::move(judge), std::move(entry));
}

Task<Result<Testimony>> Auditd::take_size(std::string origin, std::uint64_t size,
                                          std::string carrier) {
  if (!has_witnesses_) co_return fail(kNobodysWord);
  audit::Entry entry = carried({.origin = origin, .size = size}, std::move(carrier));
  auto judge = [this, origin = std::move(origin), size] {
    return witnessed_.take_size(origin, size, checkpoints_.last_signed());
  };
  co_return co_await hear(std::move(judge), std::move(entry));
}

// The intent of an operator's act; of nobody's act it has no user.
audit::Entry Auditd::carried(const audit::Checkpoint& seen, std::string carrier) {
  return {.operation_id = crypto::new_operation_id(random_, clock_),
          .event_type = audit::EventType::log_witness,
          .phase = audit::Phase::intent,
          .time_us = clock_.now_us(),
          .user = std::move(carrier),
          .resources = {seen.origin},
          .tree_size = seen.size};
}

Task<Result<void>> Auditd::open_new_shards(std::string reason, std::string user) {
  co_await be_alone();
  const Result<void> opened = co_await break_alone(std::move(reason), std::move(user));
  note_witnessed();
  if (rolled_back_ || doubts_break_) co_await writer_->refuse();  // it was not settled
  busy_ = false;
  co_return opened;
}

// The proof goes last: until the new logs are signed for, durably, nothing else tells that it is
// settled. REQUIRES: be_alone().
Task<Result<void>> Auditd::break_alone(std::string reason, std::string user) {
  auto broken_at = co_await writer_->open_new_shards(std::move(reason), std::move(user));
  if (!broken_at) co_return std::unexpected(broken_at.error());
  SR_CO_CHECK_OK(co_await sign_alone({}));
  auto work = [this, broken_at = *std::move(broken_at)]() -> Result<void> {
    SR_CHECK_OK(checkpoints_.sync());
    return witnessed_.settle(broken_at);
  };
  co_return co_await pool_->run(loop_, std::move(work));
}

template <class Judge>
Task<std::invoke_result_t<Judge&>> Auditd::hear(Judge judge, audit::Entry carried) {
  co_await be_alone();
  auto heard = co_await hear_alone(std::move(judge), std::move(carried));
  note_witnessed();
  if (rolled_back_) co_await writer_->refuse();
  busy_ = false;
  co_return heard;
}

// REQUIRES: be_alone().
template <class Judge>
Task<std::invoke_result_t<Judge&>> Auditd::hear_alone(Judge judge, audit::Entry carried) {
  if (carried.user.empty()) co_return co_await pool_->run(loop_, std::move(judge));
  SR_CO_CHECK_OK(co_await writer_->record_intent(carried));
  auto heard = co_await pool_->run(loop_, std::move(judge));
  const auto outcome = heard ? audit::Outcome::done : audit::Outcome::failed;
  audit::Entry ended = audit::outcome_of(carried, outcome, EntryId{}, clock_.now_us());
  co_await writer_->record_own(std::move(ended));
  co_return heard;
}

void Auditd::note_witnessed() {
  rolled_back_ = witnessed_.rolled_back();
  doubts_break_ = witnessed_.doubts_break();
  newest_ = witnessed_.newest();
  rolled_back_gauge_.set(rolled_back_ ? 1 : 0);
  tell_history();
  if (newest_) witnessed_gauge_.set(newest_->time_s);
}

void Auditd::record_reload(bool all, std::string user) {
  audit::Entry reload{.event_type = audit::EventType::config_reload,
                      .outcome = all ? audit::Outcome::success : audit::Outcome::failed,
                      .time_us = clock_.now_us(),
                      .user = std::move(user)};
  async::spawn(writer_->record_own(std::move(reload)));
}

Task<void> Auditd::await_signing() {
  const auto end = steady_clock::now() + options_.stop_patience;
  while (works() && steady_clock::now() < end) co_await loop_.sleep_for(kPoll);
}

Task<void> Auditd::drain() {
  co_await intake_->close();
  co_await denials_->close();
  draining_ = true;
  if (archivist_) archivist_->stop();
  co_await await_signing();
  co_await writer_->record_stop();
  if (works()) {
    log::error("audit checkpoints: the signing hangs; the next start signs what is left");
  }
  while (works()) co_await loop_.sleep_for(kPoll);
  const auto outcome = co_await sign({.snapshot_bytes_min = kSnapshotAtStopBytes});
  if (!outcome) log::error("last audit checkpoints are not signed", {{"error", outcome.error()}});
  writer_->end();
  co_await loop_.sleep_for(kPoll);  // whatever the writer posted last has run now
}

}  // namespace strongroom::auditd

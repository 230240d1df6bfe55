// Archivist.
#include "auditd/archivist.h"

#include <algorithm>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using async::Task;

namespace {

constexpr Error kBusy{ErrorCode::conflict, "the archives are being worked on, or auditd stops"};
constexpr Error kNoArchive{ErrorCode::not_found, "the log knows no such archive"};
constexpr Error kLockedLonger{ErrorCode::conflict, "the archive is locked as long, or longer"};

}  // namespace

// Holds the archivist busy while it lives.
class Archivist::Turn {
 public:
  explicit Turn(Archivist& archivist) : archivist_(archivist) {
    taken_ = !archivist.busy_ && !archivist.stopping_;
    if (taken_) archivist.busy_ = true;
  }
  ~Turn() {
    if (taken_) archivist_.busy_ = false;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  [[nodiscard]] bool taken() const noexcept { return taken_; }

 private:
  Archivist& archivist_;
  bool taken_ = false;
};

Archivist::Archivist(async::Loop& loop, Writer& writer, const Clock& clock, Shelf shelf,
                     RetentionSettings settings, KeepSnapshot keep_snapshot)
    : loop_(loop),
      writer_(writer),
      clock_(clock),
      shelf_(std::move(shelf)),
      settings_(settings),
      keep_snapshot_(std::move(keep_snapshot)) {}

std::int64_t Archivist::Listed::locked_until_ms() const {
  return std::max(record.locked_until_ms, item ? item->header.locked_until_ms : 0);
}

Task<Result<std::size_t>> Archivist::archive_due(std::string user) {
  const Turn turn(*this);
  if (!turn.taken()) co_return fail(kBusy);
  ArchiveRun run;
  co_return co_await work_through(std::move(user), run);
}

Result<void> Archivist::begin_archiving(std::string user) {
  if (busy_ || stopping_) return fail(kBusy);
  run_.emplace();
  async::spawn(archive_beside(std::move(user)));
  return {};
}

Task<void> Archivist::archive_beside(std::string user) {
  const Turn turn(*this);
  run_->outcome = co_await work_through(std::move(user), *run_);
}

Task<Result<std::size_t>> Archivist::work_through(std::string user, ArchiveRun& run) {
  if (!user.empty()) {
    const Ledger::ArchiveNote begin{.user = std::move(user)};
    SR_CO_CHECK_OK(co_await writer_.record_archive(begin, settings_.at_hand_ms == 0));
    SR_CO_CHECK_OK(co_await keep_snapshot_());  // what is due is signed for
  }
  SR_CO_TRY(const std::vector<Due> due, co_await seal_due(run));
  if (!due.empty()) SR_CO_CHECK_OK(co_await keep_snapshot_());
  const audit::ArchiveRecords records = co_await writer_.archives();
  const std::int64_t now_ms = clock_.now_us() / 1000;
  auto remove = [this, &due, &records, now_ms]() -> Result<void> {
    for (const auto& [segment, sha256] : due) {
      SR_CHECK_OK(shelf_.remove_segment(segment, sha256));
    }
    return shelf_.remove_leftovers(records, now_ms);
  };
  SR_CO_CHECK_OK(co_await pool_.run(loop_, std::move(remove)));
  if (run.archived > 0) log::info("audit log archived", {{"segments", run.archived}});
  co_return run.archived;
}

Task<Result<std::vector<Archivist::Due>>> Archivist::seal_due(ArchiveRun& run) {
  const std::int64_t before_ms = clock_.now_us() / 1000 - settings_.at_hand_ms;
  auto look = [this, before_ms] { return shelf_.due(before_ms); };
  SR_CO_TRY(const std::vector<audit::SegmentFacts> segments,
            co_await pool_.run(loop_, std::move(look)));
  run.due = segments.size();
  const audit::ArchiveRecords records = co_await writer_.archives();
  std::vector<Due> sealed;
  sealed.reserve(segments.size());
  for (const audit::SegmentFacts& segment : segments) {
    if (stopping_) break;
    const auto known = records.find(segment.first_sequence);
    // A crash may have come before the segment was removed.
    auto check = [this, &segment, &known, &records]() -> Result<bool> {
      if (known == records.end() || known->second.disposed) return false;
      return shelf_.has(segment.first_sequence, known->second.sha256);
    };
    SR_CO_TRY(const bool is_sealed, co_await pool_.run(loop_, std::move(check)));
    if (is_sealed) {
      sealed.emplace_back(segment, known->second.sha256);
      continue;
    }
    const std::int64_t locked_until_ms = segment.newest_ms + settings_.keep_ms;
    auto seal = [this, &segment, locked_until_ms] { return shelf_.seal(segment, locked_until_ms); };
    SR_CO_TRY(const crypto::Sha256Digest sha256, co_await pool_.run(loop_, std::move(seal)));
    const Ledger::ArchiveNote note{.act = audit::ArchiveAct::seal,
                                   .first_sequence = segment.first_sequence,
                                   .sha256 = sha256,
                                   .until_ms = locked_until_ms};
    SR_CO_CHECK_OK(co_await writer_.record_archive(note, false));
    sealed.emplace_back(segment, sha256);
    ++run.archived;
  }
  co_return sealed;
}

Task<Result<audit::ArchiveRecord>> Archivist::record_of(std::uint64_t first_sequence) {
  const audit::ArchiveRecords records = co_await writer_.archives();
  const auto found = records.find(first_sequence);
  if (found == records.end() || found->second.disposed) co_return fail(kNoArchive);
  co_return found->second;
}

Task<Result<std::int64_t>> Archivist::restore(std::uint64_t first_sequence, std::string user) {
  const Turn turn(*this);
  if (!turn.taken()) co_return fail(kBusy);
  SR_CO_TRY(const audit::ArchiveRecord record, co_await record_of(first_sequence));
  const std::int64_t until_ms = clock_.now_us() / 1000 + settings_.restored_ms;
  const Ledger::ArchiveNote note{.act = audit::ArchiveAct::restore,
                                 .first_sequence = first_sequence,
                                 .sha256 = record.sha256,
                                 .until_ms = until_ms,
                                 .user = std::move(user)};
  auto look = [this, first_sequence, &record] {
    return shelf_.can_restore(first_sequence, record.sha256);
  };
  SR_CO_CHECK_OK(co_await pool_.run(loop_, std::move(look)));
  SR_CO_CHECK_OK(co_await writer_.record_archive(note, false));
  auto copy = [this, first_sequence, &record] {
    return shelf_.restore(first_sequence, record.sha256);
  };
  SR_CO_CHECK_OK(co_await pool_.run(loop_, std::move(copy)));
  co_return until_ms;
}

Task<Result<void>> Archivist::hold(std::uint64_t first_sequence, std::int64_t until_ms,
                                   std::string user) {
  const Turn turn(*this);
  if (!turn.taken()) co_return fail(kBusy);
  SR_CO_TRY(const audit::ArchiveRecord record, co_await record_of(first_sequence));
  if (until_ms <= record.locked_until_ms) co_return fail(kLockedLonger);
  const Ledger::ArchiveNote note{.act = audit::ArchiveAct::hold,
                                 .first_sequence = first_sequence,
                                 .until_ms = until_ms,
                                 .user = std::move(user)};
  co_return co_await writer_.record_archive(note, false);
}

// An archive that cannot be read has the lock that the log says.
Task<Result<std::optional<std::int64_t>>> Archivist::dispose(std::uint64_t first_sequence,
                                                             std::int64_t now_ms,
                                                             std::string user) {
  const Turn turn(*this);
  if (!turn.taken()) co_return fail(kBusy);
  SR_CO_TRY(const audit::ArchiveRecord record, co_await record_of(first_sequence));
  auto look = [this, first_sequence] { return shelf_.item(first_sequence); };
  const auto item = co_await pool_.run(loop_, std::move(look));
  const std::int64_t locked_until_ms =
      std::max(record.locked_until_ms, item ? item->header.locked_until_ms : 0);
  if (now_ms < locked_until_ms) co_return std::optional(locked_until_ms);
  const Ledger::ArchiveNote note{.act = audit::ArchiveAct::dispose,
                                 .first_sequence = first_sequence,
                                 .sha256 = record.sha256,
                                 .until_ms = locked_until_ms,
                                 .user = std::move(user)};
  SR_CO_CHECK_OK(co_await writer_.record_archive(note, false));
  auto remove = [this, first_sequence] { return shelf_.remove(first_sequence); };
  SR_CO_CHECK_OK(co_await pool_.run(loop_, std::move(remove)));
  co_return std::optional<std::int64_t>();
}

Task<Result<std::vector<Archivist::Listed>>> Archivist::list() {
  const audit::ArchiveRecords records = co_await writer_.archives();
  auto look = [this, &records]() -> Result<std::vector<Listed>> {
    std::vector<Listed> listed;
    listed.reserve(records.size());
    for (const auto& [first_sequence, record] : records) {
      if (record.disposed) continue;
      const auto item = shelf_.item(first_sequence);
      listed.push_back({first_sequence, record, item ? std::optional(*item) : std::nullopt});
    }
    return listed;
  };
  co_return co_await pool_.run(loop_, std::move(look));
}

}  // namespace strongroom::auditd

// Auditd: the daemon that is the only writer of its host's audit log. It takes entries over a Unix
// socket, makes them durable in groups before it acknowledges them, and signs what the logs have
// grown to. It never sees a card number: an entry that looks like one is refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "auditd/archivist.h"
#include "auditd/checkpoints.h"
#include "auditd/failures.h"
#include "auditd/intake.h"
#include "auditd/own_log.h"
#include "auditd/witnessed.h"
#include "auditd/writer.h"
#include "base/file.h"
#include "base/metrics.h"

namespace strongroom::auditd {

struct StoreOptions {
  std::string directory;                    // DIR/audit; exists, belongs to auditd alone
  std::string instance;                     // auditd's own name, which no writer may have
  std::string trust_domain;                 // origins begin with "<trust domain>/<instance>"
  std::vector<audit::NoteKey> witnesses{};  // whose cosignatures count
  audit::JournalOptions journal{};
  std::uint64_t reserve_bytes = 0;             // as LedgerOptions'
  std::vector<std::string> reserve_writers{};  // as LedgerOptions'
  Replay* replay = nullptr;                    // as LedgerOptions'
  QuotaLimit new_logs = kNewLogsQuota;         // as LedgerOptions'
};

// Store is what auditd keeps on disk.
struct Store {
  // Takes the folder's lock and reads the whole journal. conflict: another auditd has it; corrupt:
  // it is not what was signed for; unavailable; invalid_argument: a witness's key, or names that
  // audit::log_place() does not take. The references outlive the store. Takes as long as there is
  // to read: on any thread.
  [[nodiscard]] static Result<Store> open(audit::Files& files, const Clock& clock,
                                          crypto::Random& random, const StoreOptions& options,
                                          crypto::Ed25519Signer signer);
  FileLock lock;
  Checkpoints checkpoints;
  Witnessed witnessed;
  std::unique_ptr<Ledger> ledger;
  std::vector<GrownLog> unsigned_logs;  // what the run before has left to sign
  bool immutable;                       // make_closed_files_immutable()
  // What it was opened with.
  const Clock* clock;
  audit::Files* files;
  crypto::Random* random;
  std::string directory;
  std::string instance;
};

struct AuditdOptions {
  std::string socket_path;  // DIR/run/auditd/intake.sock
  std::vector<WriterUser> users;
  std::chrono::milliseconds checkpoint_interval{1'000};         // at most one per log in this time
  std::uint64_t quota_bytes_per_minute = kQuotaBytesPerMinute;  // of each writer
  // Say so in the log, at the start and once a day, where no witness is set. One that is set and
  // has not answered is always told of.
  bool expects_witness = false;
  // Entries that have waited longer for a checkpoint are a failure: the signing hangs.
  std::chrono::milliseconds unsigned_max{30'000};
  // How long a stop waits for a signing under way before it writes log.stop all the same.
  std::chrono::milliseconds stop_patience{3'000};
  // Between two log.checkpoint entries of one log.
  std::chrono::milliseconds record_interval{60'000};
  // The key `audit-archive`; without it nothing is archived.
  std::optional<crypto::Aead> archive_key{};
  RetentionSettings retention{};
};

// Belongs to one Loop's thread.
class Auditd {
 public:
  // Serves from now on. conflict: the socket is taken; unavailable. `loop` and `metrics` outlive
  // it.
  [[nodiscard]] static Result<std::unique_ptr<Auditd>> start(async::Loop& loop, Store store,
                                                             Registry& metrics,
                                                             AuditdOptions options);
  ~Auditd();  // REQUIRES: drain() has ended
  Auditd(const Auditd&) = delete;
  Auditd& operator=(const Auditd&) = delete;

  // Why the journal takes no entries; empty while it does. For /readyz.
  [[nodiscard]] std::string_view not_ready() const noexcept;
  // Whom the disk has room for.
  [[nodiscard]] Room room() const noexcept { return writer_->room(); }
  // Whether what is closed is immutable: it was at the start, and nothing has failed since.
  [[nodiscard]] bool immutable() const noexcept { return immutable_; }
  // False when the last attempt to sign failed, or takes too long; the log itself is not held up by
  // that.
  [[nodiscard]] bool signing() const noexcept { return signing_works_ && !signing_hangs_; }
  // What was signed for and this store lacks; nullopt while nothing tells that it was rolled back.
  // After that the journal takes no entries.
  [[nodiscard]] const std::optional<audit::Checkpoint>& rolled_back() const noexcept {
    return rolled_back_;
  }
  // Witnessed::doubts_break(): the journal takes no entries, and nothing is signed.
  [[nodiscard]] bool doubts_break() const noexcept { return doubts_break_; }
  // Why nobody could tell now that the log was rolled back; empty when a witness could.
  [[nodiscard]] std::string unwitnessed() const;
  // SIGHUP.
  void set_users(std::vector<WriterUser> users) { intake_->set_users(std::move(users)); }
  void set_quota(std::uint64_t bytes_per_minute) { writer_->set_quota(bytes_per_minute); }
  // Writes config.reload; `all`: whether all of it was taken over, `user`: whose SIGHUP it was.
  void record_reload(bool all, std::string user);
  // Writes auditd's own entries of what was made before it ran, as service::Unrecorded has them;
  // those that the journal has already stay as they are. Durable on return; unavailable.
  [[nodiscard]] async::Task<Result<void>> record_made(const std::vector<audit::Entry>& entries);
  // Writes an entry of auditd's own about what an operator is doing, with uid and time; its other
  // members are given. Durable on return; unavailable.
  [[nodiscard]] async::Task<Result<void>> record_asked(audit::Entry entry);
  // Records what the merchants' logs have come to in the operator's, and signs a checkpoint of
  // every log that has grown; gives their number. conflict, unavailable.
  [[nodiscard]] async::Task<Result<std::size_t>> checkpoint_now();
  // Witnessed::take_note and Witnessed::take_size, on which the journal stops at once when the
  // store was rolled back. A size is a word without proof: permission_denied where no witness is
  // set whose word it could be. `carrier`: the operator who brought it; log.witness says so before
  // it is judged, and how that ended. unavailable: it does not, so nothing was judged. Empty: it
  // came from audit-relay, which asks the witnesses all the time.
  [[nodiscard]] async::Task<Result<Heard>> take_note(std::string note, std::string carrier = {});
  [[nodiscard]] async::Task<Result<Testimony>> take_size(std::string origin, std::uint64_t size,
                                                         std::string carrier = {});
  // After a lawful restore: Ledger::open_new_shards, a checkpoint of the new logs, and an end to
  // rolled_back() and doubts_break(); no testimony is heard in between.
  [[nodiscard]] async::Task<Result<void>> open_new_shards(std::string reason, std::string user);
  // Null without a key.
  [[nodiscard]] Archivist* archivist() noexcept { return archivist_ ? &*archivist_ : nullptr; }
  // The time that a lock has to be over at, Unix milliseconds: where witnesses are set, not later
  // than the newest time that one has stated since the start, so that a clock which was set forward
  // unlocks nothing.
  [[nodiscard]] std::int64_t attested_now_ms() const;
  // Stops taking entries, writes log.stop, signs the last checkpoints, ends the threads. Comes to
  // no end while the signing hangs; but log.stop is in the journal by then, and the next start
  // signs what was acknowledged, so whoever cuts it off loses nothing.
  [[nodiscard]] async::Task<void> drain();

 private:
  Auditd(async::Loop& loop, Store store, Registry& metrics, AuditdOptions options);
  async::Task<void> next_beat();
  async::Task<void> sign_regularly();
  async::Task<void> watch_regularly();
  void watch();
  void watch_signing();
  void tell_history();
  struct Signing {
    bool record = false;  // the merchants' checkpoints in the operator's log
    std::uint64_t snapshot_bytes_min = kSnapshotEveryBytes;
  };
  async::Task<Result<std::size_t>> sign(Signing what);
  async::Task<Result<std::size_t>> sign_alone(Signing what);
  async::Task<Result<void>> break_alone(std::string reason, std::string user);
  audit::Entry carried(const audit::Checkpoint& seen, std::string carrier);
  template <class Judge>
  async::Task<std::invoke_result_t<Judge&>> hear(Judge judge, audit::Entry carried);
  template <class Judge>
  async::Task<std::invoke_result_t<Judge&>> hear_alone(Judge judge, audit::Entry carried);
  async::Task<void> be_alone();
  void note_witnessed();
  async::Task<void> archive_regularly();
  async::Task<Result<void>> keep_snapshot();
  async::Task<void> await_signing();
  [[nodiscard]] bool works() const { return ticking_ > 0 || (archivist_ && archivist_->busy()); }
  void warn_daily();
  Result<void> publish(const std::optional<audit::Snapshot>& snapshot);  // on the pool's thread
  [[nodiscard]] std::size_t unwritten_entries() const;
  void keep(std::vector<GrownLog> grown);

  async::Loop& loop_;
  const Clock& clock_;
  audit::Files& files_;
  crypto::Random& random_;
  const std::string instance_;
  AuditdOptions options_;
  FileLock lock_;
  Checkpoints checkpoints_;  // the pool's thread, while busy_
  Witnessed witnessed_;      // the same
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Failures> failures_;
  std::unique_ptr<OwnLog> own_log_;
  std::unique_ptr<audit::Denials> denials_;
  std::unique_ptr<Intake> intake_;
  std::optional<Archivist> archivist_;
  std::unique_ptr<async::BlockingPool> pool_;
  Counter& signed_;
  Gauge& signing_gauge_;
  Gauge& witnessed_gauge_;
  Gauge& rolled_back_gauge_;
  Gauge& unsigned_gauge_;
  Gauge& immutable_gauge_;
  bool immutable_;
  const bool has_witnesses_;
  const std::int64_t started_us_;
  // Witnessed's, as it was when it was last asked.
  std::optional<audit::Checkpoint> rolled_back_;
  bool doubts_break_;
  std::optional<WitnessedHead> newest_;
  // The operator's log that grew last, by its name, and how much of it was signed; empty: none yet.
  std::pair<std::string, std::uint64_t> operators_;
  std::optional<std::int64_t> warned_us_;  // when warn_daily() last did
  // Since when there have been entries without a checkpoint, none being signed meanwhile.
  std::optional<std::chrono::steady_clock::time_point> unsigned_since_;
  std::chrono::steady_clock::time_point next_snapshot_{};
  std::vector<GrownLog> unsigned_;  // taken from the writer, each log once
  bool busy_ = false;
  bool snapshot_kept_ = true;  // the last one; the pool's thread, while busy_
  bool signing_works_ = true;  // the last attempt
  bool signing_hangs_ = false;
  bool archiving_works_ = true;
  bool draining_ = false;
  bool hangs_ = false;
  int ticking_ = 0;  // tasks that drain() waits for
};

}  // namespace strongroom::auditd

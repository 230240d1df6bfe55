// KeyKeeper: vaultd's keys through their life. It keeps what this vaultd has open in step with the
// registry, reserves uses, tells the others what it has, and (one vaultd of a database does so)
// makes new versions, puts them to use when all have them, and takes old ones out of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/result.h"
#include "cde/keys/backup_ledger.h"
#include "cde/keys/hsm_description.h"
#include "cde/keys/key_hindrance.h"
#include "cde/keys/key_registry.h"
#include "cde/keys/key_store.h"
#include "cde/keys/vault_instances.h"
#include "crypto/random.h"
#include "storage/database.h"

namespace strongroom::cde {

// `operation` of the audit entries on keys.
inline constexpr std::string_view kKeysOperation = "keys";

// Belongs to one Loop, one in each vaultd; its parts outlive it. A new version:
//   pre-active   made in the HSM and registered; each vaultd opens it, reserves uses of it and says
//                so (VaultInstances)
//   active       when all that live have said so; the version before it is retired by the same
//                write, and protects nothing new once each vaultd has read that
//   the floor    when all that live have read that, and what they had begun has ended: from then on
//                the database takes no card whose DEK is under an older version
//   withdrawn    on command, when nothing hinders it: each vaultd gives up what it has of it
//   destroyed    when all of them have, also those that do not live any more
// Whatever is killed anywhere goes on from what the registry says. Each step stands in the audit
// log: an intent before it and an outcome, or a single entry for uses that are reserved.
class KeyKeeper final {
 public:
  static constexpr std::chrono::seconds kStep{1};
  static constexpr std::int64_t kBlock = 1 << 17;  // of uses, reserved at once
  // SP 800-38D, section 8.3 allows 2^32 random nonces under one key.
  static constexpr std::uint64_t kRotateAt = std::uint64_t{1} << 30;
  static constexpr std::uint64_t kUsesMax = std::uint64_t{1} << 31;

  // Tests wait less.
  struct Waits {
    std::chrono::milliseconds beat{20'000};
    // A vaultd that has not said for so long that it lives is not waited for: what it encrypts
    // under a version that is out of use by then, the database does not take.
    std::chrono::milliseconds dead_after{60'000};
    // What was begun under the version before is in the database then, or never will be.
    std::chrono::milliseconds begun_ends{10'000};
    // How soon a foreign hand in the registry shows, which leaves its revision as it was.
    std::chrono::milliseconds read_again{5'000};
    // After a rotation that was due has failed.
    std::chrono::milliseconds rotate_again{600'000};
    // After the HSM has not destroyed a version.
    std::chrono::milliseconds destroy_again{600'000};
  };
  struct Parts {
    async::Loop& loop;
    storage::Database& database;
    KeyStore& keys;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    std::string instance;  // this vaultd's name among those of the database
    Waits waits{};
  };
  explicit KeyKeeper(Parts parts);

  // Before anything is served: registers the keys of a new deployment, opens what is registered,
  // and reserves uses. Errors: conflict (the HSM is another deployment's); corrupt (the registry
  // was written to by somebody else); and those of the database, the HSM and the log.
  [[nodiscard]] async::Task<Result<void>> start();
  // Runs until stop(), after which it begins no other step.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // True while run() is at work, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // What keeps the keys from being in step with their registry, and does not pass by itself; for
  // /readyz. corrupt: the registry was altered, and nothing is encrypted until it is whole again.
  [[nodiscard]] const std::optional<Error>& trouble() const noexcept { return trouble_; }
  // Tells the others that this vaultd holds nothing any more; the last call.
  [[nodiscard]] async::Task<void> leave();

  // One step, as run() does it each second.
  [[nodiscard]] async::Task<Result<void>> step();
  // Makes a new version of `name`, in the name of `user` (empty: this vaultd's own), which becomes
  // active by itself. invalid_argument: this key cannot be rotated; conflict: a rotation is under
  // way; and the errors of the database, the HSM and the log.
  [[nodiscard]] async::Task<Result<RegisteredKey>> rotate(KeyName name, std::string user);
  // Notes that nothing stands under these versions of `pan-encryption` any more. conflict: one of
  // them is active.
  [[nodiscard]] async::Task<Result<void>> note_emptied(std::vector<std::uint32_t> versions);

  // Notes that a version is not to be trusted any more, in the name of `user`. not_found; conflict:
  // it is active (rotate first), or withdrawn; and the errors of the database, the HSM and the log.
  [[nodiscard]] async::Task<Result<RegisteredKey>> mark_compromised(KeyName name,
                                                                    std::uint32_t version,
                                                                    std::string user);
  // What hinders a version's end now; of one that is withdrawn, what it waits for. not_found;
  // corrupt (the ledger of backups); and the errors of the database and the HSM.
  [[nodiscard]] async::Task<Result<std::vector<Hindrance>>> hindrances(KeyName name,
                                                                       std::uint32_t version);
  // Begins the end of a version in the name of `user`, where nothing hinders it: from then on it is
  // `withdrawn`, and goes on to be `destroyed` by itself, when no vaultd has it any more. Errors as
  // above.
  struct Destruction {
    RegisteredKey key;
    std::vector<Hindrance> hindrances;  // none: it is begun, or was before
  };
  [[nodiscard]] async::Task<Result<Destruction>> destroy(KeyName name, std::uint32_t version,
                                                         std::string user);

  // Notes in the ledger of backups what became of one, in the name of `user`. Errors: those of
  // BackupLedger::take; corrupt (somebody else has written to the ledger), exhausted (another
  // change is under way), and those of the database, the HSM and the log.
  [[nodiscard]] async::Task<Result<KnownBackup>> note_backup(BackupNote note, std::string user);
  // The ledger as it is now. corrupt; conflict: it changes at this moment.
  [[nodiscard]] async::Task<Result<BackupLedger>> backups();

  // Whether this vaultd acts for all of the database, as of the last step.
  [[nodiscard]] bool leads() const noexcept { return leads_; }
  // The retired versions of `pan-encryption` under which something may still stand and nothing new
  // can come: what is under them is to be moved. Empty where another vaultd does that, and while
  // the active version is not found on the HSM's token.
  [[nodiscard]] std::vector<std::uint32_t> to_empty() const;

  // What came of an intent of a key, as the registry has it now.
  [[nodiscard]] async::Task<Result<audit::Outcome>> outcome_of(const audit::Entry& intent);

  // Whether the registry counts what a version of `name` is used for.
  [[nodiscard]] static bool counts_uses_of(KeyName name) noexcept;
  // Errors of HsmKeyStore.
  [[nodiscard]] async::Task<Result<HsmDescription>> describe_hsm();

  // The registry as this vaultd has it open.
  [[nodiscard]] const KeyRecords& records() const noexcept { return records_; }
  // Those that live, as of the last step.
  [[nodiscard]] const std::vector<VaultInstances::Instance>& instances() const noexcept {
    return live_;
  }
  // What does not agree between registry and HSM.
  struct Finding {
    std::string label;  // of the key; empty: of the registry
    std::string text;
  };
  [[nodiscard]] async::Task<Result<std::vector<Finding>>> check();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Watched {
    std::int64_t beats = 0;
    std::int64_t revision = 0;
    SteadyTime changed;
  };
  // One change at a time; lives in a coroutine's frame.
  class Turn {
   public:
    explicit Turn(bool& taken) : taken_(taken) { taken_ = true; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { taken_ = false; }

   private:
    bool& taken_;
  };
  struct Unsettled {
    audit::Entry intent;
    SteadyTime since;
  };
  async::Task<Result<KeyRecords>> first_records();
  async::Task<Result<void>> take(KeyRecords records);
  async::Task<Result<void>> follow();
  async::Task<Result<void>> take_step();
  void note(const Result<void>& step);
  async::Task<Result<void>> write(KeyRecords next, std::vector<storage::Statement> also = {});
  async::Task<Result<void>> reserve();
  async::Task<Result<void>> beat(std::int64_t revision);
  async::Task<Result<void>> watch_others();
  async::Task<Result<void>> advance();
  async::Task<Result<void>> activate(RegisteredKey next);
  async::Task<Result<void>> raise_floor();
  [[nodiscard]] bool all_have(std::int64_t revision) const;
  [[nodiscard]] bool is_due(const RegisteredKey& active) const;
  [[nodiscard]] audit::Entry entry(audit::EventType type, std::vector<std::string> labels) const;
  async::Task<bool> wait_for_turn();
  async::Task<Result<RegisteredKey>> begin_rotation(KeyName name, const std::string& user);
  async::Task<Result<void>> register_made(RegisteredKey key);
  async::Task<Result<void>> require_on_token(RegisteredKey key);
  async::Task<Result<void>> allow_emptying();
  [[nodiscard]] std::vector<std::uint32_t> below_floor() const;
  [[nodiscard]] std::vector<std::string> silent() const;
  [[nodiscard]] std::vector<std::string> without(std::int64_t revision) const;
  [[nodiscard]] std::vector<Hindrance> hindrances_now(const RegisteredKey& key,
                                                      const BackupLedger& ledger) const;
  async::Task<Result<Destruction>> withdraw(KeyName name, std::uint32_t version,
                                            const std::string& user);
  async::Task<void> destroy_withdrawn();
  async::Task<Result<void>> destroy_in_hsm(RegisteredKey key);
  async::Task<Result<BackupLedger>> latest_ledger();
  async::Task<Result<std::vector<std::string>>> held_by(BackupKind kind, BackupAct act);
  async::Task<Result<audit::Outcome>> outcome_of_note(const audit::Entry& intent);
  async::Task<Result<void>> act(audit::Entry intent, KeyRecords next,
                                std::vector<storage::Statement> also = {});
  async::Task<void> conclude(const audit::Entry& intent, const Result<void>& done);
  async::Task<void> settle();
  void send_outcome(const audit::Entry& intent, audit::Outcome outcome);

  Parts parts_;
  KeyRegistry registry_;
  VaultInstances instances_;
  KeyRecords records_;
  std::map<std::string, Watched> watched_;
  std::vector<VaultInstances::Instance> live_;
  std::int64_t told_revision_ = 0;
  SteadyTime told_at_{};
  std::uint32_t floor_due_for_ = 0;  // the version that is to be the floor
  SteadyTime floor_due_since_{};
  SteadyTime floor_read_at_{};
  bool nothing_comes_below_ = false;
  bool may_empty_ = false;
  SteadyTime on_token_at_{};
  SteadyTime rotate_after_{};
  std::map<std::string, SteadyTime> not_destroyed_;  // label; when it is tried again
  std::vector<Unsettled> unsettled_;                 // intents whose outcome nobody knows yet
  SteadyTime read_at_{};
  std::optional<Error> trouble_;
  bool leads_ = false;
  bool changing_ = false;  // one change at a time: a command's or the next step's
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

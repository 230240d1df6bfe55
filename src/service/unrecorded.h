// Unrecorded: the audit entries of keys and database schemas that are made while no auditd takes
// them. --init and --migrate run before it does, so each entry is noted in a file of the daemon's
// own, DIR/data/<instance>/unrecorded, before its object is made; the next start of the daemon
// brings what stands there to the log (PCI DSS 10.2.1.7). docs/formats/audit-intake.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "audit/entry.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/random.h"

namespace strongroom::service {

inline constexpr std::size_t kUnrecordedBytesMax = std::size_t{1} << 20;

// Who makes, and in whose file it is noted.
struct Maker {
  std::string directory;  // DIR
  std::string instance;   // whose file, and whose entries: "vaultd"
  std::string operation;  // what they say was done: "vaultd --init"
};

// DIR/data/<instance>/unrecorded.
[[nodiscard]] std::string unrecorded_path(const Maker& maker);

// What is made, by the names that the entry has as its resources.
struct Object {
  audit::EventType type = audit::EventType::key_generate;
  std::vector<std::string> names;
};

// Belongs to one thread. One process at a time uses the file: the one that holds the instance's
// writer lock, or `strongroom init`, beside which none runs yet.
class Unrecorded {
 public:
  using Make = std::function<Result<void>()>;

  // `random` and `clock` outlive it.
  Unrecorded(Maker maker, crypto::Random& random, const Clock& clock)
      : maker_(std::move(maker)), random_(random), clock_(clock) {}
  Unrecorded(Unrecorded&& other) noexcept;
  Unrecorded& operator=(Unrecorded&&) = delete;
  ~Unrecorded();

  // Takes over what stands in the file; without one there are no entries. Under the writer lock,
  // and before anything else. corrupt (detail: the line); the errors of read_file.
  [[nodiscard]] Result<void> read();

  [[nodiscard]] std::string path() const { return unrecorded_path(maker_); }
  // Finished, and each with the uid that it keeps: what is sent twice stands in the log once.
  [[nodiscard]] const std::vector<audit::Entry>& entries() const noexcept { return entries_; }

  // Runs `make`, which makes all of `objects`, once their entries are durable in the file; what the
  // file says of an earlier attempt at the same object goes. An error of `make` takes them back,
  // but for unknown_outcome. Whoever is killed in between has noted what was perhaps not made, and
  // either makes it the next time or cannot start: a daemon serves only with all its keys and the
  // newest schema. Errors: those of `make` and of write_file_durable; exhausted: the file is full.
  [[nodiscard]] Result<void> making(const std::vector<Object>& objects, const Make& make);
  // The same for the key in the file `key_path`, by its path below DIR. Where the file is there
  // already nothing is noted, and `make` may mend what belongs to it.
  [[nodiscard]] Result<void> making_key(const std::string& key_path, const Make& make);
  // The same for each version of the schema of `database` ("vault"), as storage::migrate_at takes
  // it. *this outlives it.
  [[nodiscard]] std::function<Result<void>(std::int64_t version, const Make& apply)> migrating(
      std::string database);

  // The same for a backup of `database`, whatever `load` gives beside its error.
  template <class Load>
  [[nodiscard]] Result<void> restoring(const std::string& database, const Load& load) {
    return making({{.type = audit::EventType::backup_restore, .names = {"database " + database}}},
                  [&]() -> Result<void> {
                    const auto loaded = load();
                    return loaded ? Result<void>{} : Result<void>(fail(loaded.error()));
                  });
  }

  // Opens the file for forget(), which then works inside any sandbox. Nothing is made from then on.
  [[nodiscard]] Result<void> hold();
  // Empties the file: the entries are in the log. Not synced: what a power cut brings back is sent
  // again, and dropped by its uids. REQUIRES: hold().
  [[nodiscard]] Result<void> forget();

 private:
  [[nodiscard]] audit::Entry entry_of(const Object& object) const;
  [[nodiscard]] Result<void> write(std::vector<audit::Entry> entries);

  Maker maker_;
  crypto::Random& random_;
  const Clock& clock_;
  std::vector<audit::Entry> entries_;
  int fd_ = -1;  // between hold() and forget()
};

}  // namespace strongroom::service

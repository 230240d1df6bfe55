// Authority: the acts on merchants and API keys, each an intent, an effect and an outcome in the
// audit log (design: Act). What it refuses it says as a problem, ready for the client.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/secret.h"
#include "connected/auth/api_key.h"
#include "connected/auth/directory.h"
#include "crypto/random.h"
#include "wire/problem.h"

namespace strongroom::connected::auth {

template <class T>
using Answer = std::expected<T, wire::Problem>;

// Who asks; for the audit log.
struct Actor {
  std::string user;       // a ticket's subject, or "uid:1000" at the admin socket
  std::string source_ip;  // empty: this host
  std::string request_id;
};

// What a key is asked for. REQUIRES: `merchant` and `name` were checked for their form.
struct KeyRequest {
  std::string merchant;
  Role role = Role::merchant_user;
  std::string name;
};

struct CreatedKey {
  ApiKey key;
  SecretBytes text;  // shown once
};

inline constexpr std::size_t kNameBytesMax = 100;

// Belongs to one Loop. Everything borrowed outlives it. Problems common to all: audit_unavailable
// and database_unavailable (nothing happened), outcome_unknown (the database's answer was lost, and
// what was sent may still commit; the log's intent is closed when the database has told, at the
// latest after the next start).
class Authority {
 public:
  struct Parts {
    async::Loop& loop;
    Directory& directory;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    Profile profile;
    // How long what a lost connection or a killed process sent to the database may still commit.
    std::chrono::milliseconds commit_lag_max{};
  };
  explicit Authority(Parts parts) noexcept : parts_(parts) {}

  // Durable on return.
  [[nodiscard]] async::Task<Answer<Merchant>> create_merchant(Actor actor, std::string name);
  // not_found: no such merchant, or it is suspended. Durable on return.
  [[nodiscard]] async::Task<Answer<CreatedKey>> create_key(Actor actor, KeyRequest request);
  // The key, revoked: no ticket is issued for it from now on. Revoking it again changes nothing.
  // not_found, also when it is another merchant's than `merchant` (none: any merchant's).
  [[nodiscard]] async::Task<Answer<ApiKey>> revoke_key(Actor actor, std::string id,
                                                       std::optional<std::string> merchant);

  // Closes the intents that an earlier run left open, from what the database says. Once at start,
  // before serving. Waits until commit_lag_max after the Authority was made if one is not in the
  // database. The errors of recorder and database; unavailable: stopped meanwhile.
  [[nodiscard]] async::Task<Result<void>> recover();
  // Ends the settling of outcomes that the database still owes; they stay open for the next start.
  void stop() noexcept { stopping_ = true; }

 private:
  audit::Entry intent(audit::EventType type, const Actor& actor, std::string merchant,
                      std::string object);
  // Intent, effect, outcome.
  async::Task<Answer<void>> act(audit::Entry intent, async::Task<Result<void>> effect);
  // Whether the database shows the effect of `intent`.
  async::Task<Result<bool>> happened(const audit::Entry& intent);
  void close_intent(const audit::Entry& intent, bool done);
  // Asks the database when nothing can commit any more, and closes the intent.
  async::Task<void> settle(audit::Entry intent);
  async::Task<Result<void>> wait_for_late_commits();

  Parts parts_;
  const std::chrono::steady_clock::time_point made_ = std::chrono::steady_clock::now();
  bool stopping_ = false;
};

}  // namespace strongroom::connected::auth

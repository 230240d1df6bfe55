// Authority: the acts on merchants and API keys, each an intent, an effect and an outcome in the
// audit log (design: Act). What it refuses it says as a problem, ready for the client.
#pragma once

#include <expected>
#include <string>

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
// and database_unavailable (nothing happened), outcome_unknown (the database's answer was lost and
// it cannot be asked; the log's intent is closed at the next start).
class Authority {
 public:
  struct Parts {
    Directory& directory;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    Profile profile;
  };
  explicit Authority(Parts parts) noexcept : parts_(parts) {}

  // Durable on return.
  [[nodiscard]] async::Task<Answer<Merchant>> create_merchant(Actor actor, std::string name);
  // not_found: no such merchant, or it is suspended. Durable on return.
  [[nodiscard]] async::Task<Answer<CreatedKey>> create_key(Actor actor, KeyRequest request);
  // The key, revoked: no ticket is issued for it from now on. Revoking it again changes nothing.
  // not_found, also when it is another merchant's than `merchant` (empty: any merchant's).
  [[nodiscard]] async::Task<Answer<ApiKey>> revoke_key(Actor actor, std::string id,
                                                       std::string merchant);

  // Closes the intents that an earlier run left open, from what the database says. Once at start,
  // before serving. The errors of recorder and database; nothing is half done then.
  [[nodiscard]] async::Task<Result<void>> recover();

 private:
  audit::Entry intent(audit::EventType type, const Actor& actor, std::string merchant,
                      std::string object);
  // Intent, effect, outcome.
  async::Task<Answer<void>> act(audit::Entry intent, async::Task<Result<void>> effect);
  // Whether the database shows the effect of `intent`.
  async::Task<Result<bool>> happened(const audit::Entry& intent);
  void close_intent(const audit::Entry& intent, bool done);

  Parts parts_;
};

}  // namespace strongroom::connected::auth

// Denials: how a server writes what it refused. Whoever floods a listener without credentials must
// not flood the audit log with it, so such denials become one entry per source and minute, with a
// count; who proved who they are gets an entry each, until they flood it too (design: Audit entry;
// PCI DSS 10.2.1.4, 10.3.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "crypto/random.h"

namespace strongroom::audit {

inline constexpr std::int64_t kDenialWindowUs = 60'000'000;
inline constexpr std::size_t kDenialSourcesMax = 4096;  // further ones are counted together
inline constexpr std::size_t kDenialsOfUserMax = 10;  // entries of a user in a minute; then a count

struct Denial {
  std::string source_ip;    // empty: this host
  std::string user;         // a ticket's subject; empty: nobody proved who they are
  std::string merchant_id;  // of the ticket
  std::string operation;    // "POST /v1/tickets": method and route, never the path that was sent
  std::string request_id;
};

// Belongs to one Loop. Everything borrowed outlives it; close() is awaited before it goes.
class Denials {
 public:
  Denials(async::Loop& loop, EntryLog& recorder, crypto::Random& random, const Clock& clock)
      : loop_(loop), recorder_(recorder), random_(random), clock_(clock) {}
  Denials(const Denials&) = delete;
  Denials& operator=(const Denials&) = delete;

  // Call it before the refusal is answered. The first of a source in a minute is an entry of its
  // own, as are the first kDenialsOfUserMax of a user from there: durable on return. Later ones are
  // counted and written when the minute ends. unavailable: not written, so the answer must be
  // audit_unavailable.
  [[nodiscard]] async::Task<Result<void>> record(Denial denial);
  // Writes what is still counted and ends. What auditd does not take now is in the log file only,
  // as a number.
  [[nodiscard]] async::Task<void> close();

 private:
  struct Window {
    std::int64_t begun_us = 0;
    std::size_t written = 0;    // entries of their own
    std::uint64_t counted = 0;  // since them
    Denial last{};
  };
  Entry entry_of(const Denial& denial);
  void take_back(const std::string& key);
  async::Task<void> sweep_until_idle();
  async::Task<void> write_counted(bool all);

  async::Loop& loop_;
  EntryLog& recorder_;
  crypto::Random& random_;
  const Clock& clock_;
  std::map<std::string, Window, std::less<>> windows_;  // one more for all others
  bool sweeping_ = false;
  bool closing_ = false;
};

}  // namespace strongroom::audit

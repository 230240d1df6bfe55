// AuditLink: a worker's way to auditd, with the entries that every daemon writes alike: what
// was made for it, that it starts, that it stops, what it reads again, and whom it denied.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "async/loop.h"
#include "async/task.h"
#include "audit/client.h"
#include "audit/denials.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/random.h"
#include "http/message.h"
#include "service/daemon.h"

namespace strongroom::service {

// Belongs to one Loop. Everything borrowed outlives it; close() is awaited before it goes.
class AuditLink {
 public:
  // Whoever answers at the audit socket must be `auditd_uid`. `wait_max`: as in ClientOptions.
  AuditLink(async::Loop& loop, Host& host, uid_t auditd_uid, crypto::Random& random,
            const Clock& clock, std::chrono::milliseconds wait_max = {});
  AuditLink(const AuditLink&) = delete;
  AuditLink& operator=(const AuditLink&) = delete;

  [[nodiscard]] audit::Client& client() noexcept { return client_; }
  [[nodiscard]] audit::Denials& denials() noexcept { return denials_; }

  // What is noted of keys and schemas that were made before (Host::unrecorded), then the entry of
  // the instance's start; durable on return. May be repeated after an error. One worker of a daemon
  // writes it, before anything is served.
  [[nodiscard]] async::Task<Result<void>> record_start();
  // The entry of a SIGHUP of `user`, sent and not awaited, by the worker that wrote the start;
  // `all`: whether all that is read again was taken over (PCI DSS 10.2.1.2).
  void record_reload(bool all, const std::string& user);
  // The entry of a request that nobody's ticket stands behind, before its refusal is answered; its
  // operation is the method and `route`, never the path that was sent. False: not written.
  [[nodiscard]] async::Task<bool> record_denial(const http::Request& request,
                                                std::string_view route);
  // After the last request: denials that are still counted, the stop (where the start was written),
  // and what auditd takes of the outcomes within kPatience. What it does not take stays an open
  // intent, which the next start closes.
  [[nodiscard]] async::Task<void> close();
  // Adds the check "auditd".
  void readiness(Readiness& readiness) const;

 private:
  [[nodiscard]] audit::Entry lifecycle_entry(audit::EventType type, audit::Outcome outcome);

  Unrecorded& unrecorded_;
  crypto::Random& random_;
  const Clock& clock_;
  audit::Client client_;
  audit::Denials denials_;
  bool started_ = false;
};

}  // namespace strongroom::service

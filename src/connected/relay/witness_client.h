// WitnessClient: has one witness (C2SP tlog-witness v1.0.0) cosign a checkpoint of the operator's
// log, and brings auditd what contradicts it, also of the operator's other logs, those among them
// that this store does not know. It judges nothing itself: auditd believes signatures only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/note.h"
#include "audit/submission.h"
#include "base/log_recurring.h"
#include "base/metrics.h"
#include "base/result.h"
#include "connected/relay/log_watch.h"
#include "http/client.h"

namespace strongroom::connected::relay {

// A checkpoint of the operator's log that grows now.
struct WitnessTarget {
  std::string log;
  audit::Checkpoint checkpoint;
  std::string note;  // as signed
};

// What auditd makes of what it is told.
struct Verdict {
  bool rolled_back = false;
  bool settled = false;                   // of a log that a break has ended
  std::vector<audit::NoteKey> witnesses;  // whose cosignatures it takes
};

// Belongs to one Loop. Everything borrowed outlives it.
class WitnessClient {
 public:
  struct Parts {
    async::Loop& loop;
    async::BlockingPool& pool;  // for the files, which may be slow
    audit::Files& files;
    std::string directory;  // DIR/audit
    std::string place;      // the beginning of every origin
    const LogWatch& watch;
    Gauge& failing;                                // 1 while it does not cosign
    std::string name;                              // in the configuration
    http::ClientOptions witness;                   // where it serves
    http::ClientOptions auditd;                    // its witness socket
    std::chrono::milliseconds pause{2'000};        // after a failure; doubled while they go on
    std::chrono::milliseconds asking_max{30'000};  // for all that it may tell of other logs
  };
  explicit WitnessClient(Parts parts);

  // True when the witness is to be asked for that log at that size: it has said nothing of it yet,
  // and is not being asked, and has not failed a moment ago.
  [[nodiscard]] bool is_due(std::string_view log, std::uint64_t size) const;
  // The witness's cosignature lines for `target`; none where it failed or says something else,
  // which auditd has then been told. With lines the witness is being asked until heard().
  //
  // First brings auditd the witness's newest of each other log of the operator, and of each that
  // this store lacks altogether (which only a strongroom witness tells): at the start, and again
  // when one of them is not as large as it was, or another grows, as after a copy was put back.
  [[nodiscard]] async::Task<std::string> hand_in(WitnessTarget target);
  // What came of telling auditd of those lines, alone or among others'. Of use is only a witness of
  // whose lines auditd takes one: not one whose key it does not know, or whose clock is ahead.
  void heard(const audit::Checkpoint& cosigned, std::string_view lines,
             const Result<Verdict>& told);
  // Ends the questions about other logs; no failures are told any more.
  void stop() noexcept { stopping_ = true; }
  [[nodiscard]] async::Task<void> close();

  [[nodiscard]] const std::string& name() const noexcept { return parts_.name; }
  // Why the last request was of no use, a literal; empty while they are.
  [[nodiscard]] std::string_view cause() const noexcept { return cause_; }

  static constexpr std::chrono::minutes kPauseMax{5};

 private:
  async::Task<Result<std::string>> cosignature(const WitnessTarget& target);
  [[nodiscard]] Result<void> may_ask() const;
  // These are true when auditd finds that the store was rolled back.
  async::Task<Result<bool>> ask_for_others(std::string_view log);
  async::Task<Result<bool>> ask_for(const LogSizes& others);  // passes over what it has not seen
  async::Task<Result<bool>> ask_for_unknown(const LogSizes& ours);
  // Brings auditd what the witness has cosigned last of that log; not_found: nothing.
  async::Task<Result<bool>> bring_newest(const std::string& origin);
  async::Task<Result<bool>> bring(std::string said);
  // True: the witness has told where to begin.
  async::Task<Result<bool>> refused(const audit::Checkpoint& target,
                                    const http::ClientResponse& response);
  async::Task<Result<bool>> contradicted(const audit::Checkpoint& target, std::uint64_t size);
  void finish(const Result<void>& done);

  Parts parts_;
  http::Client witness_;
  http::Client auditd_;
  std::string log_;                    // the operator's that old_size_ and told_size_ are of
  std::uint64_t old_size_ = 0;         // that the witness has cosigned, as far as is known
  std::uint64_t told_size_ = 0;        // that auditd was told of
  std::optional<LogSizes> asked_for_;  // the operator's other logs, as they were at that
  std::chrono::steady_clock::time_point asking_until_{};
  bool is_asked_ = false;
  bool stopping_ = false;
  std::chrono::milliseconds pause_;
  std::chrono::steady_clock::time_point next_{};
  std::string_view cause_;
  log::Recurring failed_{"witness not reached or not of use"};
};

// Brings auditd, at its witness socket, what a witness said. permission_denied: it takes it for no
// proof.
[[nodiscard]] async::Task<Result<Verdict>> tell_auditd(http::Client& auditd, std::string said);
// A signed checkpoint as tell_auditd takes it.
[[nodiscard]] std::string said_of(std::string_view note);

}  // namespace strongroom::connected::relay

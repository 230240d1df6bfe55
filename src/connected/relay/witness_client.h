// WitnessClient: has one witness (C2SP tlog-witness v1.0.0) cosign what the operator's log grows
// to, and brings auditd what it says, also of the operator's other logs, those among them that this
// store does not know. It judges nothing itself: auditd believes signatures only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/files.h"
#include "audit/submission.h"
#include "base/log_recurring.h"
#include "base/metrics.h"
#include "base/result.h"
#include "connected/relay/log_watch.h"
#include "http/client.h"

namespace strongroom::connected::relay {

// Belongs to one Loop. Everything borrowed outlives it, and run() ends before it goes.
class WitnessClient {
 public:
  struct Parts {
    async::Loop& loop;
    async::BlockingPool& pool;  // for the files, which may be slow
    audit::Files& files;
    std::string directory;  // DIR/audit
    std::string place;      // the beginning of every origin
    const LogWatch& watch;
    Gauge& failing;                          // 1 while it does not cosign
    std::string name;                        // in the configuration
    http::ClientOptions witness;             // where it serves
    http::ClientOptions auditd;              // its witness socket
    std::chrono::milliseconds pause{2'000};  // between two requests; doubled while they fail
  };
  explicit WitnessClient(Parts parts);

  // Hands in the newest checkpoint at once and then whenever the log has grown, until stop(). First
  // brings auditd the witness's newest of each other log of the operator, and of each that this
  // store lacks altogether (which only a strongroom witness tells): at the start, and again when
  // one of them is not as large as it was, or another grows, as after a copy was put back.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }

  [[nodiscard]] const std::string& name() const noexcept { return parts_.name; }
  // Why the last request was of no use, a literal; empty while they are.
  [[nodiscard]] std::string_view cause() const noexcept { return cause_; }

  static constexpr std::chrono::milliseconds kStep{100};
  static constexpr std::chrono::minutes kPauseMax{5};

 private:
  [[nodiscard]] bool has_news() const;
  async::Task<Result<void>> hand_in();
  async::Task<Result<void>> answer(const audit::Submission& submission,
                                   const http::ClientResponse& response);
  async::Task<Result<void>> contradicted(const audit::Submission& submission, std::uint64_t size);
  // These are true when auditd finds that the store was rolled back.
  async::Task<Result<bool>> ask_for(const LogSizes& others);  // passes over what it has not seen
  // Of the operator's logs that `ours` does not name.
  async::Task<Result<bool>> ask_for_unknown(const LogSizes& ours);
  // Brings auditd what the witness has cosigned last of that log; not_found: nothing.
  async::Task<Result<bool>> bring_newest(const std::string& origin);
  async::Task<Result<bool>> tell_auditd(std::string body);

  Parts parts_;
  http::Client witness_;
  http::Client auditd_;
  std::string log_;                    // the operator's that old_size_ and told_size_ are of
  std::uint64_t old_size_ = 0;         // that the witness has cosigned, as far as is known
  std::uint64_t told_size_ = 0;        // that auditd was told of
  std::optional<LogSizes> asked_for_;  // the operator's other logs, as they were at that
  bool again_ = false;                 // at once: the witness has told where to begin
  bool stopping_ = false;
  std::string_view cause_;
  log::Recurring failed_{"witness not reached or not of use"};
};

}  // namespace strongroom::connected::relay

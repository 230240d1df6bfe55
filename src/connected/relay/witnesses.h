// Witnesses: has all witnesses cosign the same checkpoints, so that one checkpoint bears what each
// of them said. It grows with the log: whoever asked them one by one for the newest would ask each
// for another.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/files.h"
#include "base/log_recurring.h"
#include "base/result.h"
#include "connected/relay/log_watch.h"
#include "connected/relay/witness_client.h"
#include "http/client.h"

namespace strongroom::connected::relay {

// Belongs to one Loop. Everything borrowed outlives it, and run() ends before it goes.
class Witnesses {
 public:
  using Clients = std::vector<std::unique_ptr<WitnessClient>>;
  struct Parts {
    async::Loop& loop;
    async::BlockingPool& pool;  // for the files, which may be slow
    audit::Files& files;
    std::string directory;  // DIR/audit
    const LogWatch& watch;
    http::ClientOptions auditd;              // its witness socket
    std::chrono::milliseconds pause{2'000};  // between two rounds' beginnings
  };
  Witnesses(Parts parts, Clients clients);

  // Hands in the newest checkpoint of the operator's log at once and then whenever the log has
  // grown, until stop(). Which of the operator's logs that is the growth tells, not the name: a
  // clock that ran ahead into another year leaves a log behind that is the newest by its name, and
  // grows no more. At the start, and of several that have grown at once, it is the newest. In
  // rounds: all witnesses are asked for one checkpoint, and auditd is told together what they
  // answer within kPatience, and by itself what comes later. One that failed last, or is still
  // being asked, is not waited for: a witness that is away, or slow, holds up the others' answers
  // by kPatience at most.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept;

  [[nodiscard]] const Clients& clients() const noexcept { return clients_; }

  static constexpr std::chrono::milliseconds kStep{100};
  static constexpr std::chrono::milliseconds kPatience{2'000};

 private:
  struct Answer {
    WitnessClient* witness;
    std::string lines;
  };
  void look();
  [[nodiscard]] bool is_due() const;
  async::Task<Result<WitnessTarget>> newest();
  async::Task<void> hold_round(WitnessTarget target);
  async::Task<void> ask(WitnessClient& witness, WitnessTarget target, std::uint64_t round);
  async::Task<void> tell(const WitnessTarget& target, std::vector<Answer> answers);
  async::Task<Result<Verdict>> bring(const WitnessTarget& target, const std::string& lines);

  Parts parts_;
  Clients clients_;
  http::Client auditd_;
  LogSizes seen_;                // the operator's logs at the last look
  std::string grows_;            // the one that grew last; empty: there is none
  std::uint64_t round_ = 0;      // whose answers are gathered now; 0: none's
  std::uint64_t rounds_ = 0;     // that have begun
  std::size_t waiting_for_ = 0;  // witnesses, in this round
  std::vector<Answer> answers_;  // in this round
  std::size_t asking_ = 0;       // tasks under way, of all rounds
  bool stopping_ = false;
  log::Recurring failed_{"no checkpoint for the witnesses"};
};

}  // namespace strongroom::connected::relay

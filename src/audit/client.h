// Client: a process's way to its host's auditd, over a Unix socket (docs/formats/audit-intake.md).
// What is recorded while one frame is under way rides together in the next one, so a busy process
// pays for one write and one fdatasync per group, an idle one waits for nobody.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/loop.h"
#include "audit/recorder.h"
#include "base/clock.h"

namespace strongroom::audit {

struct ClientOptions {
  std::string socket_path;  // DIR/run/auditd/intake.sock
  std::string instance;     // this process's name in auditd's table of users
  // The user that auditd runs as: whoever else serves the socket counts as absent. Empty: anyone.
  std::optional<uid_t> auditd_uid{};
  std::size_t queue_max = 8192;  // entries that wait to be recorded; more are refused
  std::size_t outcomes_max =
      8192;  // outcomes not yet acknowledged; while reached, record() refuses
  // So long record() waits for its frame to go out; more is refused. 0: until then.
  std::chrono::milliseconds wait_max{0};
  std::size_t batch_max = 128;                      // entries of one frame
  std::chrono::milliseconds answer_timeout{5'000};  // a slower auditd counts as absent
  std::chrono::milliseconds repeat_for{1'000};      // how long record() waits out a lost connection
  std::chrono::milliseconds reconnect_first{20};    // doubled per attempt up to reconnect_max
  std::chrono::milliseconds reconnect_max{1'000};
};

// Belongs to one Loop, from whose thread everything is called; a process has one Client per worker.
// Connects by itself and stays at it. `clock` and `loop` outlive it; close() is awaited before it
// goes.
class Client final : public Recorder {
 public:
  Client(async::Loop& loop, const Clock& clock, ClientOptions options);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] async::Task<Result<void>> record(const Entry& entry) override;
  void send(const Entry& entry) override;
  [[nodiscard]] async::Task<Result<std::vector<OpenIntent>>> open_intents() override;
  [[nodiscard]] bool ready() const override;

  // Waits until every outcome is acknowledged, for at most `patience`; for a stopping process that
  // has ended its requests. False: some are not. An auditd that is gone does not hold up the stop:
  // those intents stay open, and the next start asks for them.
  [[nodiscard]] async::Task<bool> drain(std::chrono::milliseconds patience);
  // Ends the connection and every task of the client; what waits gets unavailable.
  [[nodiscard]] async::Task<void> close();
  // Resumes when the client is connected, or false after `timeout`; for a starting process and
  // tests.
  [[nodiscard]] async::Task<bool> connected(std::chrono::milliseconds timeout);

  // Outcomes not yet acknowledged.
  [[nodiscard]] std::size_t outcomes_waiting() const;
  // Outcomes that auditd refused for their content (a bug of the writer); they are dropped.
  [[nodiscard]] std::uint64_t outcomes_refused() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strongroom::audit

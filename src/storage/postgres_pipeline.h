// PostgresPipeline: the calls that one libpq connection has under way, in pipeline mode: what is
// sent for each, and what its answers mean. No I/O: someone else flushes and reads.
//
// Each call is one implicit transaction, closed by its own Sync, so that the server commits it as
// the Sync arrives and nobody waits for a round trip in between. A call with expect_rows is an
// explicit transaction: its COMMIT is sent when its counts are known, and nothing else is sent
// until then.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/postgres_wire.h"

struct pg_conn;

namespace strongroom::storage {

struct PostgresCommand {
  std::string sql;
  std::vector<PostgresParameter> parameters;
  std::optional<std::uint64_t> expect_rows{};
};

// PostgresCall is one call of Database on its way through a connection.
struct PostgresCall {
  std::vector<PostgresCommand> commands;
  bool writes;

  std::vector<Answer> answers{};  // per command, when there is no error
  std::optional<Error> error{};
  std::coroutine_handle<> waiter{};
  bool refused = false;     // the server has rolled the transaction back
  bool committing = false;  // from here on a lost connection leaves the outcome unknown
};

class PostgresPipeline {
 public:
  // Starts over on `connection`, which is in pipeline mode and outlives detach().
  void attach(pg_conn& connection);
  // Ends the calls under way as those of a lost connection end; gives them in order.
  [[nodiscard]] std::vector<PostgresCall*> detach();

  // True when a call may be sent.
  [[nodiscard]] bool open() const noexcept { return !held_ && calls_.size() < kCallsMax; }
  [[nodiscard]] bool empty() const noexcept { return calls_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return calls_.size(); }

  // Puts `call` into libpq's buffer; it must live until it is handed back. False: the connection is
  // lost. REQUIRES: open().
  [[nodiscard]] bool send(PostgresCall& call);
  // Takes in what libpq has read, and appends the calls that have ended. False: the connection is
  // lost.
  [[nodiscard]] bool take_results(std::vector<PostgresCall*>& ended);

 private:
  static constexpr std::size_t kCallsMax = 32;

  // Expected is one thing that the server owes an answer for, in the order of sending.
  enum class Step : std::uint8_t { prepare, transaction, command, sync, last_sync };
  struct Expected {
    Step step;
    PostgresCall* call;
    std::size_t command = 0;
  };
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  using ResultPtr = std::unique_ptr<pg_result, Clear>;

  bool prepare(PostgresCall& call, std::size_t command);
  bool send_text(PostgresCall& call, const char* sql);
  bool send_prepared(PostgresCall& call, std::size_t command);
  bool send_sync(PostgresCall& call, Step step);
  bool conclude(PostgresCall& call);
  bool take(const pg_result& result, std::vector<PostgresCall*>& ended);
  bool take_refusal(const pg_result& result, const Expected& expected);

  pg_conn* connection_ = nullptr;
  std::deque<PostgresCall*> calls_;
  std::deque<Expected> expected_;
  PostgresCall* held_ = nullptr;   // the call whose COMMIT waits for its counts
  TextMap<std::string> prepared_;  // SQL to the statement's name
  std::uint64_t names_ = 0;
};

}  // namespace strongroom::storage

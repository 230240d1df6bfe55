// A vaultd of a test that plays its threads, its neighbors' faults and its own end: whoever asks
// the database or the audit log waits for a turn, and a seed decides whose is next and what becomes
// of it. Database and vault are the real ones.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "contract/vault_fixture.h"

namespace strongroom::cde {

// Whose turn is next. What waits here stands still, so that the same seed gives the same order.
class Turns {
 public:
  // `together_max`: turns that are given at once, so that the database has as many calls. With 1
  // the same seed gives the same play; else it is the database's, too, how those meet.
  Turns(async::Loop& loop, std::uint64_t seed, std::size_t together_max)
      : loop_(loop), together_max_(together_max), dice_(seed) {}

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(dice_);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }

  // Waits until it is the caller's turn.
  auto turn() {
    struct Turn {
      Turns& turns;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) const { turns.waiting_.push_back(handle); }
      void await_resume() const noexcept {}
    };
    return Turn{*this};
  }
  // What the database's `call` answers. Calls that are there together are answered when all of them
  // have ended, in their order.
  template <class T>
  async::Task<T> at_database(async::Task<T> call) {
    struct Answered {
      Turns& turns;
      std::uint64_t number;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) const {
        --turns.at_database_;
        turns.answered_.emplace(number, handle);
      }
      void await_resume() const noexcept {}
    };
    const std::uint64_t number = ++calls_;
    ++at_database_;
    T answer = co_await std::move(call);
    const Answered answered{*this, number};
    co_await answered;
    co_return answer;
  }
  // Gives turns until `done`.
  template <class Done>
  async::Task<> play(Done done) {
    while (!done()) {
      for (int i = 0; i < kSettled; ++i) co_await Rest{loop_};
      if (at_database_ == 0 && !answered_.empty()) {
        for (const auto& [call, handle] : std::exchange(answered_, {})) handle.resume();
      } else if (at_database_ == 0 && !waiting_.empty()) {
        give_turns();
      } else {
        co_await loop_.sleep_for(std::chrono::microseconds(50));
      }
    }
  }

  bool faults = false;
  int late = 0;  // writes that nobody waits for any more

 private:
  static constexpr int kSettled = 6;  // turns of the loop in which all that is ready has run

  void give_turns() {
    for (std::size_t i = 1 + below(together_max_); i > 0 && !waiting_.empty(); --i) {
      const auto next = waiting_.begin() + static_cast<std::ptrdiff_t>(below(waiting_.size()));
      const std::coroutine_handle<> handle = *next;
      waiting_.erase(next);
      handle.resume();
    }
  }
  struct Rest {
    async::Loop& loop;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const {
      loop.post([handle] { handle.resume(); });
    }
    void await_resume() const noexcept {}
  };

  async::Loop& loop_;
  const std::size_t together_max_;
  std::mt19937_64 dice_;
  std::vector<std::coroutine_handle<>> waiting_;
  std::uint64_t calls_ = 0;
  int at_database_ = 0;
  std::map<std::uint64_t, std::coroutine_handle<>> answered_;  // by the number of the call
};

// The way to the database: a connection may be lost before a transaction (nothing happened), after
// its commit, or while the server works on, so that it commits some time later.
class PlayedDatabase final : public storage::Database {
 public:
  PlayedDatabase(storage::Database& inner, Turns& turns) : inner_(inner), turns_(turns) {}

  async::Task<Result<storage::Rows>> read(storage::Statement statement) override {
    co_await turns_.turn();
    if (is_lost(kReadsLost)) co_return fail(kNoConnection);
    co_return co_await turns_.at_database(inner_.read(std::move(statement)));
  }
  async::Task<Result<storage::Rows>> read_many(storage::ManyStatement statement) override {
    co_await turns_.turn();
    if (is_lost(kReadsLost)) co_return fail(kNoConnection);
    co_return co_await turns_.at_database(inner_.read_many(std::move(statement)));
  }
  async::Task<Result<std::vector<storage::Rows>>> write(
      std::vector<storage::Statement> statements) override {
    return write_any(std::move(statements));
  }
  async::Task<Result<std::vector<storage::Rows>>> write_many(
      std::vector<storage::ManyStatement> statements) override {
    return write_any(std::move(statements));
  }
  async::Task<Result<bool>> has_open_for(std::chrono::milliseconds) override {
    co_await turns_.turn();
    co_return turns_.late > 0;
  }
  bool ready() const override { return inner_.ready(); }
  bool has_room() const override { return inner_.has_room(); }
  async::Task<void> close() override { co_return; }

  bool dead = false;  // with its process

 private:
  using Written = Result<std::vector<storage::Rows>>;
  static constexpr std::size_t kReadsLost = 40;  // one in so many
  static constexpr std::size_t kWritesLost = 14;
  static constexpr Error kNoConnection{ErrorCode::unavailable, "no connection"};
  static constexpr Error kNoAnswer{ErrorCode::unknown_outcome, "the connection was lost"};

  bool is_lost(std::size_t one_in) { return dead || (turns_.faults && turns_.one_in(one_in)); }

  template <class Statements>
  async::Task<Written> write_any(Statements statements) {
    co_await turns_.turn();
    if (is_lost(kWritesLost)) co_return fail(kNoConnection);
    const bool answered = !turns_.faults || !turns_.one_in(kWritesLost);
    if (!answered && turns_.one_in(2)) {
      async::spawn(write_late(std::move(statements)));
      co_return fail(kNoAnswer);
    }
    Written written = co_await turns_.at_database(inner_write(std::move(statements)));
    if (!answered || dead) co_return fail(kNoAnswer);
    co_return written;
  }
  template <class Statements>
  async::Task<> write_late(Statements statements) {
    ++turns_.late;
    co_await turns_.turn();
    static_cast<void>(co_await turns_.at_database(inner_write(std::move(statements))));
    --turns_.late;
  }
  async::Task<Written> inner_write(std::vector<storage::Statement> statements) {
    return inner_.write(std::move(statements));
  }
  async::Task<Written> inner_write(std::vector<storage::ManyStatement> statements) {
    return inner_.write_many(std::move(statements));
  }

  storage::Database& inner_;
  Turns& turns_;
};

// The way to an audit log, which outlives the process. An entry may be refused, also one whose
// intent reached the journal: then it is closed there.
class PlayedRecorder final : public audit::Recorder {
 public:
  using Log = std::vector<audit::Entry>;
  PlayedRecorder(Log& log, Turns& turns) : log_(log), turns_(turns) {}

  async::Task<Result<void>> record(const audit::Entry& entry) override {
    co_await turns_.turn();
    const bool refused = dead || (turns_.faults && turns_.one_in(kRefused));
    if (!refused) log_.push_back(entry);
    if (refused && !dead && entry.phase == Phase::intent && turns_.one_in(2)) {
      log_.push_back(entry);
      log_.push_back(audit::outcome_of(entry, Outcome::not_done, entry.uid, entry.time_us));
    }
    if (refused) co_return fail({ErrorCode::unavailable, "auditd is absent"});
    co_return Result<void>{};
  }
  void send(const audit::Entry& entry) override {
    if (!dead) log_.push_back(entry);
  }
  async::Task<Result<std::vector<audit::OpenIntent>>> open_intents() override {
    co_return open_in(log_);
  }
  bool ready() const override { return !dead; }

  static std::vector<audit::OpenIntent> open_in(const Log& log) {
    std::set<OperationId> closed;
    for (const audit::Entry& entry : log) {
      if (entry.phase == Phase::outcome) closed.insert(entry.operation_id);
    }
    std::vector<audit::OpenIntent> open;
    for (const audit::Entry& entry : log) {
      const bool is_open = entry.phase == Phase::intent && !closed.contains(entry.operation_id);
      if (is_open) open.push_back(entry);
    }
    return open;
  }

  bool dead = false;  // with its process

 private:
  static constexpr std::size_t kRefused = 20;  // one in so many
  Log& log_;
  Turns& turns_;
};

// What a played vaultd shares with the others, and the limits that it has.
struct PlayedParts {
  async::Loop& loop;
  storage::Database& database;
  Turns& turns;
  StoredCards& stored_cards;
  KeyRing& keys;
  KeyKeeper& key_keeper;
  CodePeers& code_peers;
  const Retention& retention;
  crypto::Random& random;
  const Clock& clock;
  VaultMetrics& metrics;
  std::int64_t alike_max;
  std::array<Budget, kActs> budgets;
  Budget deletes;
};

// A vaultd from its start to its end.
struct PlayedVaultd {
  PlayedVaultd(const PlayedParts& with, PlayedRecorder::Log& log)
      : parts(with), recorder(log, with.turns) {}

  // Nothing that it does from now on is seen, and its answers are lost.
  void kill() {
    database.dead = recorder.dead = true;
    vault.stop();
  }
  [[nodiscard]] bool is_dead() const { return database.dead; }

  PlayedParts parts;
  PlayedDatabase database{parts.database, parts.turns};
  PlayedRecorder recorder;
  CvcHolder codes;
  Budgets budgets{parts.budgets};
  CardStore cards{parts.loop, database, parts.alike_max};
  ProcessorTokenStore processor_tokens{parts.loop, database};
  PayableCards payable_cards{parts.loop, database};
  UsageTally uses{parts.loop, database};
  HeldDeletes held_deletes{database, parts.deletes};
  Vault vault{VaultParts{parts.loop, cards, processor_tokens, payable_cards, uses, held_deletes,
                         parts.stored_cards, parts.keys, parts.key_keeper, codes, parts.code_peers,
                         budgets, parts.retention, recorder, parts.random, parts.clock,
                         parts.metrics}};
  int callers = 0;  // whose requests are under way
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  struct Spent {
    std::int64_t begun = 0;
    std::int64_t passed = 0;
  };
  std::map<std::pair<Act, std::string>, Spent> spent;  // by a key
};

}  // namespace strongroom::cde

// Client: gathers entries into appends, two of them under way at most; outcomes ride along.
#include "audit/client.h"

#include <algorithm>
#include <deque>

#include "async/batcher.h"
#include "audit/connection.h"
#include "audit/protocol.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

using async::Task;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kFramesInFlight = 2;
constexpr milliseconds kPoll{5};            // while something is awaited that has no event
constexpr milliseconds kRefusedPause{100};  // before outcomes are offered again to a full disk
constexpr Error kAbsent{ErrorCode::unavailable, "auditd is absent"};
constexpr Error kLost{ErrorCode::unavailable, "no word whether the audit entry is durable"};
constexpr Error kRefusing{ErrorCode::unavailable, "audit journal takes no entries"};
constexpr Error kBehind{ErrorCode::unavailable, "too many audit outcomes are unacknowledged"};

// Known is what a writer learns about an entry; lost: it may be in the journal or not.
enum class Known : std::uint8_t { durable, refused, unavailable, lost };

Known known(EntryStatus status) {
  switch (status) {
    case EntryStatus::durable:
    case EntryStatus::repeated:
      return Known::durable;
    case EntryStatus::refused:
      return Known::refused;
    case EntryStatus::unavailable:
      return Known::unavailable;
    case EntryStatus::uncertain:
      return Known::lost;
  }
  return Known::lost;
}

// The uid of the entry that closes an intent nobody may act on: the intent's own with the last of
// its random bits flipped, so that it is the same however often this is repeated.
EntryId closing_uid(EntryId intent) {
  intent.bytes.back() ^= std::byte{1};
  return intent;
}

}  // namespace

struct Client::State {
  State(async::Loop& owner, const Clock& system_clock, ClientOptions client_options)
      : loop(owner),
        clock(system_clock),
        options(std::move(client_options)),
        batcher(owner,
                {.batch_max = options.batch_max,
                 .queue_max = options.queue_max,
                 .in_flight_max = kFramesInFlight,
                 .wait_max = options.wait_max},
                [this](std::vector<std::string> entries) { return flush(std::move(entries)); }),
        connection(owner,
                   {.socket_path = options.socket_path,
                    .instance = options.instance,
                    .auditd_uid = options.auditd_uid,
                    .answer_timeout = options.answer_timeout,
                    .reconnect_first = options.reconnect_first,
                    .reconnect_max = options.reconnect_max},
                   [this] { kick(); }) {}

  Task<Result<void>> record(std::string entry, Phase phase) {
    if (!connection.connected()) co_return fail(kAbsent);
    if (!connection.accepting()) co_return fail(kRefusing);
    if (outcomes_waiting() >= options.outcomes_max) co_return fail(kBehind);
    const std::string intent = phase == Phase::intent ? entry : std::string();
    const Result<Known> outcome = co_await batcher.submit(std::move(entry));
    if (!outcome) co_return std::unexpected(outcome.error());
    switch (*outcome) {
      case Known::durable:
        co_return Result<void>{};
      case Known::refused:
        co_return fail({ErrorCode::invalid_argument, "auditd refused the entry"});
      case Known::unavailable:
        co_return fail(kRefusing);
      case Known::lost:
        break;
    }
    if (!intent.empty()) close_intent(intent);
    co_return fail(kLost);
  }

  // The intent may have reached the journal, and nobody will act on it.
  void close_intent(const std::string& json) {
    const auto intent = parse_entry(json);
    if (!intent) return;  // nor would auditd have taken it
    send(to_json(outcome_of(*intent, Outcome::not_done, closing_uid(intent->uid), clock.now_us())));
  }

  void send(std::string outcome) {
    outcomes.push_back(std::move(outcome));
    kick();
  }

  std::size_t outcomes_waiting() const { return outcomes.size() + outcomes_in_flight; }

  // Sends outcomes that no record is there to carry.
  void kick() {
    if (kicking || flushes > 0 || outcomes.empty() || !connection.accepting()) return;
    kicking = true;
    async::spawn(flush_outcomes());
  }

  Task<void> flush_outcomes() {
    while (!outcomes.empty() && connection.accepting() && !closing) {
      const std::size_t before = outcomes.size();
      const std::vector<Result<Known>> none = co_await flush({});
      if (outcomes.size() >= before) co_await loop.sleep_for(kRefusedPause);
    }
    kicking = false;
  }

  // Sends `entries` and, behind them, what outcomes fit; repeats them over a lost connection.
  Task<std::vector<Result<Known>>> flush(std::vector<std::string> entries) {
    ++flushes;
    const std::size_t records = entries.size();
    AppendBuilder builder;
    for (const std::string& entry : entries) builder.add(entry);
    std::vector<std::string> riders = take_outcomes(builder);
    const Message message = builder.take();
    std::vector<Known> fates = co_await deliver(message, records + riders.size());
    settle_outcomes(std::move(riders), std::span(fates).subspan(records));
    fates.resize(records);
    --flushes;
    kick();
    co_return std::vector<Result<Known>>(fates.begin(), fates.end());
  }

  std::vector<std::string> take_outcomes(AppendBuilder& builder) {
    std::vector<std::string> riders;
    while (!outcomes.empty() && !builder.full()) {
      builder.add(outcomes.front());
      riders.push_back(std::move(outcomes.front()));
      outcomes.pop_front();
    }
    outcomes_in_flight += riders.size();
    return riders;
  }

  void settle_outcomes(std::vector<std::string> riders, std::span<const Known> fates) {
    outcomes_in_flight -= riders.size();
    for (std::size_t i = riders.size(); i-- > 0;) {
      if (fates[i] == Known::refused) {
        ++refused;
        log::error("audit outcome refused by auditd");
      } else if (fates[i] != Known::durable) {
        outcomes.push_front(std::move(riders[i]));
      }
    }
  }

  // Gives each entry's fate; waits out a lost connection for options.repeat_for.
  Task<std::vector<Known>> deliver(const Message& message, std::size_t count) {
    const auto give_up = steady_clock::now() + options.repeat_for;
    while (true) {
      const auto answer = co_await connection.exchange(message);
      if (answer) {
        const auto statuses = parse_acknowledgement(answer->front());
        if (statuses && statuses->size() == count) {
          std::vector<Known> fates;
          for (const EntryStatus status : *statuses) fates.push_back(known(status));
          co_return fates;
        }
        connection.restart();  // not our protocol
      }
      while (!connection.connected() && !closing && steady_clock::now() < give_up) {
        co_await loop.sleep_for(kPoll);
      }
      if (closing || steady_clock::now() >= give_up) break;
    }
    co_return std::vector<Known>(count, Known::lost);
  }

  Task<Result<std::vector<OpenIntent>>> open_intents() {
    const Message question = open_intents_message();
    SR_CO_TRY(const std::vector<Message> parts, co_await connection.exchange(question));
    std::vector<OpenIntent> intents;
    for (const Message& part : parts) {
      SR_CO_TRY(const IntentsView view, parse_intents(part));
      for (const std::string_view json : view.entries) {
        SR_CO_TRY(OpenIntent intent, parse_entry(json));
        intents.push_back(std::move(intent));
      }
    }
    co_return intents;
  }

  Task<bool> wait_connected(milliseconds timeout) {
    const auto until = steady_clock::now() + timeout;
    while (!connection.connected() && !closing && steady_clock::now() < until) {
      co_await loop.sleep_for(kPoll);
    }
    co_return connection.connected();
  }

  Task<bool> drain(milliseconds patience) {
    const auto until = steady_clock::now() + patience;
    while (outcomes_waiting() > 0 && !closing && steady_clock::now() < until) {
      co_await loop.sleep_for(kPoll);
    }
    co_return outcomes_waiting() == 0;
  }

  Task<void> close() {
    closing = true;
    co_await connection.close();
    while (kicking || flushes > 0 || batcher.waiting() > 0) co_await loop.sleep_for(kPoll);
  }

  async::Loop& loop;
  const Clock& clock;
  ClientOptions options;
  async::Batcher<std::string, Known> batcher;
  std::deque<std::string> outcomes;
  std::size_t outcomes_in_flight = 0;
  std::size_t flushes = 0;
  std::uint64_t refused = 0;
  bool kicking = false, closing = false;
  Connection connection;  // last: it begins at once, and calls kick()
};

Client::Client(async::Loop& loop, const Clock& clock, ClientOptions options)
    : state_(std::make_unique<State>(loop, clock, std::move(options))) {
  SR_CHECK(state_->options.batch_max <= kAppendEntriesMax);
}

Client::~Client() = default;

Task<Result<void>> Client::record(const Entry& entry) {
  return state_->record(to_json(entry, state_->options.instance), entry.phase);
}

void Client::send(const Entry& entry) { state_->send(to_json(entry, state_->options.instance)); }

Task<Result<std::vector<OpenIntent>>> Client::open_intents() { return state_->open_intents(); }

bool Client::ready() const {
  return state_->connection.accepting() &&
         state_->outcomes_waiting() < state_->options.outcomes_max;
}

Task<bool> Client::drain(milliseconds patience) { return state_->drain(patience); }
Task<void> Client::close() { return state_->close(); }
Task<bool> Client::connected(milliseconds timeout) { return state_->wait_connected(timeout); }
std::size_t Client::outcomes_waiting() const { return state_->outcomes_waiting(); }
std::uint64_t Client::outcomes_refused() const { return state_->refused; }

}  // namespace strongroom::audit

// The life of a connection: one function per state.
#include "storage/postgres_connection.h"

#include <libpq-fe.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::storage {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Beyond the server's own statement timeout, for the commit and the way back.
constexpr milliseconds kGrace{1000};
// A connection that served this long was sound, so its loss is no reason to rest.
constexpr milliseconds kSound{1000};
constexpr milliseconds kRestMin{50};
constexpr milliseconds kRestMax{5000};
constexpr std::uint32_t kDoublingsMax = 7;

void ignore_notice(void*, const PGresult*) {}  // libpq would print it, with values perhaps

}  // namespace

struct PostgresConnection::Enqueued {
  PostgresConnection& connection;
  PostgresCall& call;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    call.waiter = waiter;
    connection.waiting_.push_back(&call);
    connection.watch_.nudge();
  }
  void await_resume() const noexcept {}
};

struct PostgresConnection::Closed {
  PostgresConnection& connection;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection.closer_ = waiter;
    connection.watch_.nudge();
  }
  void await_resume() const noexcept {}
};

void PostgresConnection::Finish::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}

PostgresConnection::PostgresConnection(async::Loop& loop, std::vector<PostgresSettings> servers,
                                       PostgresLimits limits)
    : loop_(loop),
      servers_(std::move(servers)),
      limits_(limits),
      watch_(loop, [this](SocketWatch::Event event) { on_event(event); }) {
  connect();
}

async::Task<Result<std::vector<Answer>>> PostgresConnection::run(
    std::vector<PostgresCommand> commands, bool writes) {
  if (closing_) co_return fail({ErrorCode::unavailable, "database is closed"});
  if (resting()) co_return fail({ErrorCode::unavailable, "database is not reached"});
  if (load() >= limits_.requests_max) {
    co_return fail({ErrorCode::exhausted, "database queue is full"});
  }
  PostgresCall call{std::move(commands), writes};
  co_await Enqueued{*this, call};
  if (call.error) co_return fail(*call.error);
  co_return std::move(call.answers);
}

async::Task<void> PostgresConnection::close() {
  closing_ = true;
  co_await Closed{*this};
}

void PostgresConnection::on_event(SocketWatch::Event event) {
  switch (state_) {
    case State::connecting:
      continue_connecting(event);
      break;
    case State::serving:
      serve(event);
      break;
    case State::resting:
      if (event == SocketWatch::Event::alarm) connect();
      break;
    case State::closed:
      break;
  }
  if (closing_) close_when_idle();
}

void PostgresConnection::connect() {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : servers_[server_]) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  state_ = State::connecting;
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) return give_up();
  watch_.set_alarm(limits_.connect_timeout);
  watch_.await_writable(PQsocket(connection_.get()));
}

void PostgresConnection::continue_connecting(SocketWatch::Event event) {
  if (event == SocketWatch::Event::nudge) return;
  watch_.forget();  // the next step may close the socket and open another
  if (event == SocketWatch::Event::alarm) return give_up();
  switch (PQconnectPoll(connection_.get())) {
    case PGRES_POLLING_READING:
      return watch_.await_readable(PQsocket(connection_.get()));
    case PGRES_POLLING_WRITING:
      return watch_.await_writable(PQsocket(connection_.get()));
    case PGRES_POLLING_OK:
      return connected();
    default:
      return give_up();
  }
}

void PostgresConnection::connected() {
  watch_.cancel_alarm();
  PQsetNoticeReceiver(connection_.get(), &ignore_notice, nullptr);
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1) {
    return give_up();
  }
  if (failures_ > 0) log::info("database is reached");
  tried_ = 0;
  pipeline_.attach(*connection_);
  connected_at_ = Clock::now();
  state_ = State::serving;
  serve(SocketWatch::Event::readable);
}

void PostgresConnection::serve(SocketWatch::Event event) {
  if (event == SocketWatch::Event::alarm) return look_for_silence();
  std::vector<PostgresCall*> ended;
  const bool alive = exchange(event == SocketWatch::Event::readable, ended);
  for (const PostgresCall* call : ended) call->waiter.resume();
  if (!alive) lose("the connection to the database was lost");
}

// One turn of reading, sending and flushing. False: the connection is lost.
bool PostgresConnection::exchange(bool readable, std::vector<PostgresCall*>& ended) {
  pg_conn* const connection = connection_.get();
  if (readable) {
    heard_at_ = Clock::now();
    const bool read = PQconsumeInput(connection) == 1;
    // What arrived before the loss still counts.
    if (!pipeline_.take_results(ended) || !read) return false;
  }
  if (!send_waiting()) return false;
  const int flushed = PQflush(connection);
  if (flushed < 0) return false;
  if (flushed == 1) watch_.await_writable(PQsocket(connection));
  // While flushing too: a server that cannot send its answers stops reading.
  watch_.await_readable(PQsocket(connection));
  return true;
}

bool PostgresConnection::send_waiting() {
  while (!waiting_.empty() && pipeline_.open()) {
    if (pipeline_.empty()) heard_at_ = Clock::now();
    if (!std::exchange(silence_alarm_, true)) watch_.set_alarm(limits_.statement_timeout + kGrace);
    PostgresCall* const call = waiting_.front();
    waiting_.pop_front();
    if (!pipeline_.send(*call)) return false;
  }
  return true;
}

// A frozen server closes nothing and answers nothing; only time tells.
void PostgresConnection::look_for_silence() {
  silence_alarm_ = !pipeline_.empty();
  if (!silence_alarm_) return;
  const auto limit = limits_.statement_timeout + kGrace;
  const auto silent = std::chrono::duration_cast<milliseconds>(Clock::now() - heard_at_);
  if (silent >= limit) return lose("the database is silent");
  watch_.set_alarm(limit - silent);
}

void PostgresConnection::lose(const char* reason) {
  log::warn("database connection ended", {{"reason", reason}});
  const bool sound = Clock::now() - connected_at_ >= kSound;
  disconnect();
  const std::vector<PostgresCall*> lost = pipeline_.detach();
  if (sound) {
    failures_ = 0;
    connect();
  } else {
    rest();
  }
  for (const PostgresCall* call : lost) call->waiter.resume();
}

// Ends a failed attempt at one server. libpq's message names hosts and users, never passwords or
// values.
void PostgresConnection::give_up() {
  if (failures_ == 0) {
    log::warn("cannot reach the database", {{"reason", PQerrorMessage(connection_.get())}});
  }
  server_ = (server_ + 1) % servers_.size();
  if (++tried_ == servers_.size()) return rest();
  disconnect();
  connect();
}

// Waits before all servers are tried again; the calls that waited for this one end.
void PostgresConnection::rest() {
  disconnect();
  tried_ = 0;
  state_ = State::resting;
  const auto doublings = std::min(failures_++, kDoublingsMax);
  const auto longest = std::min(kRestMin * (1U << doublings), kRestMax);
  // Jitter keeps the processes of a restarted database from coming back all at once.
  std::uniform_int_distribution<milliseconds::rep> delay_ms(longest.count() / 2, longest.count());
  watch_.set_alarm(milliseconds(delay_ms(jitter_)));
  for (PostgresCall* call : std::exchange(waiting_, {})) {
    call->error = Error{ErrorCode::unavailable, "database is not reached"};
    call->waiter.resume();
  }
}

void PostgresConnection::disconnect() {
  watch_.forget();
  watch_.cancel_alarm();
  silence_alarm_ = false;
  connection_.reset();
}

void PostgresConnection::close_when_idle() {
  if (!closer_ || load() > 0 || state_ == State::closed) return;
  disconnect();
  state_ = State::closed;
  // Posted: who waited for this may destroy *this at once.
  loop_.post([closer = std::exchange(closer_, {})] { closer.resume(); });
}

}  // namespace strongroom::storage

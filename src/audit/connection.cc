// Connection.
#include "audit/connection.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::audit {

using async::Task;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kPoll{5};  // while something is awaited that has no event
constexpr Error kAbsent{ErrorCode::unavailable, "auditd is absent"};
constexpr Error kLost{ErrorCode::unavailable, "connection to auditd was lost"};

}  // namespace

Connection::Connection(async::Loop& loop, ConnectionOptions options,
                       std::move_only_function<void()> on_ready)
    : loop_(loop), options_(std::move(options)), on_ready_(std::move(on_ready)) {
  async::spawn(run());
}

Connection::~Connection() { SR_CHECK(!running_); }

// Puts an exchange into the queue; it lives in the frame of the coroutine that waits for it.
struct Connection::Queued {
  Connection& connection;
  Exchange& own;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    own.waiter = waiter;
    connection.unsent_.push_back(&own);
    if (!connection.writing_) async::spawn(connection.write_unsent());
  }
  void await_resume() const noexcept {}
};

Task<Result<std::vector<Message>>> Connection::exchange(const Message& message) {
  if (!connected_) co_return fail(kAbsent);
  Exchange own{.message = message, .since = steady_clock::now(), .answer = fail(kLost)};
  co_await Queued{*this, own};
  co_return std::move(own.answer);
}

Task<void> Connection::write_unsent() {
  writing_ = true;
  while (!unsent_.empty() && connected_) {
    std::vector<async::Frame> frames;
    for (Exchange* item : unsent_) {
      frames.push_back(item->message);
      unanswered_.push_back(item);
    }
    unsent_.clear();
    const Result<void> written = co_await socket_->write(frames);
    if (!written) socket_->close();  // the reader notices
  }
  writing_ = false;
}

// Connects, serves the connection until it breaks, and again, until close().
Task<void> Connection::run() {
  milliseconds pause = options_.reconnect_first;
  while (!closing_) {
    const bool opened = co_await open();
    if (opened) {
      pause = options_.reconnect_first;
      co_await read_answers();
      disconnect();
      while (writing_) co_await loop_.sleep_for(kPoll);  // a write under way holds the socket
    }
    const auto until = steady_clock::now() + pause;
    while (!closing_ && steady_clock::now() < until) co_await loop_.sleep_for(kPoll);
    pause = std::min(2 * pause, options_.reconnect_max);
  }
  running_ = false;
}

Task<bool> Connection::open() {
  auto opened = co_await async::LocalSocket::connect(loop_, options_.socket_path,
                                                     {.frame_bytes_max = kMessageBytesMax});
  if (!opened) co_return false;
  socket_ = *std::move(opened);
  if (options_.auditd_uid && socket_->peer_uid() != *options_.auditd_uid) {
    log::error("another user than auditd's serves the audit socket",
               {{"uid", socket_->peer_uid()}});
    co_return false;
  }
  const Message hello = hello_message(options_.instance);
  const std::array<async::Frame, 1> frames{hello};
  const Result<void> written = co_await socket_->write(frames);
  if (!written) co_return false;
  const auto answer = co_await socket_->read(options_.answer_timeout);
  if (!answer) co_return false;
  const auto welcome = parse_welcome(*answer);
  if (!welcome || welcome->welcome != Welcome::accepted) {
    log::error("auditd does not accept this instance", {{"instance", options_.instance}});
    co_return false;
  }
  connected_ = true;
  accepting_ = welcome->accepting;
  if (accepting_) on_ready_();
  co_return true;
}

// Ends when the connection broke, or an answer is overdue.
Task<void> Connection::read_answers() {
  while (true) {
    Result<Message> message = co_await socket_->read(options_.answer_timeout);
    const bool late = !unanswered_.empty() &&
                      steady_clock::now() - unanswered_.front()->since > options_.answer_timeout;
    if (message) {
      if (!take(*std::move(message))) co_return;
    } else if (late || message.error().code() != ErrorCode::exhausted) {
      co_return;
    }
  }
}

// False when the message breaks the protocol.
bool Connection::take(Message message) {
  if (const auto state = parse_state(message)) {
    accepting_ = *state;
    if (accepting_) on_ready_();
    return true;
  }
  if (unanswered_.empty()) return false;
  Exchange& first = *unanswered_.front();
  const auto intents = parse_intents(message);
  const bool more = intents && intents->more;
  parts_.push_back(std::move(message));
  first.since = steady_clock::now();
  if (more) return true;
  unanswered_.pop_front();
  first.answer = std::exchange(parts_, {});
  first.waiter.resume();
  return true;
}

void Connection::disconnect() {
  connected_ = false;
  socket_->close();
  parts_.clear();
  std::deque<Exchange*> lost = std::exchange(unanswered_, {});
  lost.insert(lost.end(), unsent_.begin(), unsent_.end());
  unsent_.clear();
  for (Exchange* item : lost) item->waiter.resume();
}

void Connection::restart() noexcept {
  if (socket_) socket_->close();
}

Task<void> Connection::close() {
  closing_ = true;
  restart();
  while (running_) co_await loop_.sleep_for(kPoll);
}

}  // namespace strongroom::audit

// Intake.
#include "auditd/intake.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "audit/protocol.h"
#include "base/try.h"

namespace strongroom::auditd {

using async::Task;
using audit::Message;
using audit::MessageType;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kHelloTimeout{5'000};
constexpr milliseconds kPoll{2};  // while an ending connection's last answers are on their way

}  // namespace

struct Intake::Connection {
  std::unique_ptr<async::LocalSocket> socket;
  std::string instance;          // empty until the peer has said hello
  std::deque<Message> outgoing;  // not yet written
  std::size_t answers = 0;       // of them, answers to appends
  std::size_t in_flight = 0;     // appends whose answer is not yet written
  bool asking = false;           // an answer to open_intents is not yet written
  bool writing = false;
};

Intake::Intake(async::Loop& loop, Writer& writer, audit::Denials& denials,
               std::unique_ptr<async::LocalListener> listener, std::vector<WriterUser> users)
    : loop_(loop),
      writer_(writer),
      denials_(denials),
      listener_(std::move(listener)),
      users_(std::move(users)) {}

Intake::~Intake() { SR_CHECK(!accepting_connections_ && connections_.empty()); }

Result<std::unique_ptr<Intake>> Intake::listen(async::Loop& loop, Writer& writer,
                                               audit::Denials& denials,
                                               const std::string& socket_path,
                                               std::vector<WriterUser> users) {
  SR_TRY(auto listener, async::LocalListener::listen(loop, socket_path,
                                                     {.frame_bytes_max = audit::kMessageBytesMax}));
  std::unique_ptr<Intake> intake(
      new Intake(loop, writer, denials, std::move(listener), std::move(users)));
  async::spawn(intake->accept_all());
  return intake;
}

Task<void> Intake::accept_all() {
  while (true) {
    auto socket = co_await listener_->accept();
    if (!socket) break;
    if (!has_room((*socket)->peer_uid())) {
      too_many_.warn({{"uid", (*socket)->peer_uid()}});
      continue;
    }
    const auto connection = connections_.emplace(connections_.end());
    connection->socket = *std::move(socket);
    async::spawn(serve(connection));
  }
  accepting_connections_ = false;
}

// A connection lives until its last task has ended.
Task<void> Intake::serve(std::list<Connection>::iterator connection) {
  // Two awaits in one `if` are one too many for GCC 12: it drops both.
  const bool greeted = co_await greet(*connection);
  if (greeted) co_await read_messages(*connection);
  while (connection->in_flight > 0) co_await loop_.sleep_for(kPoll);
  connection->socket->close();
  while (connection->writing) co_await loop_.sleep_for(kPoll);
  connections_.erase(connection);
}

Task<bool> Intake::greet(Connection& connection) {
  const auto message = co_await connection.socket->read(kHelloTimeout);
  if (!message) co_return false;
  const auto hello = audit::parse_hello(*message);
  if (!hello) co_return false;
  audit::Welcome welcome = audit::Welcome::accepted;
  if (hello->version != audit::kProtocolVersion) welcome = audit::Welcome::version_unknown;
  if (!permits(hello->instance, connection.socket->peer_uid())) {
    welcome = audit::Welcome::not_permitted;
    not_permitted_.warn({{"instance", hello->instance}, {"uid", connection.socket->peer_uid()}});
    // The claimed name is the stranger's text: only one that is a writer's goes into the log.
    const bool known =
        std::ranges::find(users_, hello->instance, &WriterUser::instance) != users_.end();
    std::string operation = fmt::format("intake as {}", known ? hello->instance : "nobody known");
    std::string user = fmt::format("uid:{}", connection.socket->peer_uid());
    co_await deny(std::move(user), std::move(operation), 1);
  }
  const bool accepting = !hangs_ && writer_.accepts(hello->instance);
  send(connection, audit::welcome_message(welcome, accepting));
  connection.instance = hello->instance;
  co_return welcome == audit::Welcome::accepted;
}

Task<void> Intake::read_messages(Connection& connection) {
  while (true) {
    while (connection.in_flight >= kAppendsInFlightMax) co_await loop_.sleep_for(kPoll);
    auto message = co_await connection.socket->read();
    if (!message) co_return;
    const auto type = audit::message_type(*message);
    if (type && *type == MessageType::append) {
      auto entries = audit::parse_append(*message);
      if (!entries) break;
      async::spawn(answer_append(connection, *std::move(message), *std::move(entries)));
    } else if (type && *type == MessageType::open_intents) {
      co_await answer_intents(connection);
    } else {
      break;
    }
  }
  broken_.warn({{"instance", connection.instance}});
  std::string user = connection.instance;
  std::string operation = "intake: message of no known form";
  co_await deny(std::move(user), std::move(operation), 1);
}

// Returns once the first are durable, or the journal takes none; the rest of a flood is counted.
Task<void> Intake::deny(std::string user, std::string operation, std::size_t count) {
  ++denying_;
  for (; count > 0; --count) {
    audit::Denial denial{
        .source_ip = {}, .user = user, .merchant_id = {}, .operation = operation, .request_id = {}};
    const Result<void> written = co_await denials_.record(std::move(denial));
    if (!written) break;  // it is told of as the journal's failure
  }
  --denying_;
}

// The writer ends jobs in the order in which they came, so answers keep the order of the appends.
// `entries` lie in the bytes of `message`, which is held for them and does not move them.
Task<void> Intake::answer_append(Connection& connection, [[maybe_unused]] Message message,
                                 std::vector<std::string_view> entries) {
  ++connection.in_flight;
  const auto statuses = co_await writer_.append(connection.instance, entries);
  const auto refused = std::ranges::count(statuses, audit::EntryStatus::refused);
  std::string instance = connection.instance;  // for the connection may end with its answer
  ++connection.answers;
  send(connection, audit::acknowledgement_message(statuses));
  if (refused == 0) co_return;
  std::string operation = "intake: refused entry";
  co_await deny(std::move(instance), std::move(operation), static_cast<std::size_t>(refused));
}

// The answer may be as large as all intents that an instance may have open, so an instance gets one
// at a time, and the connection is not read meanwhile.
Task<void> Intake::answer_intents(Connection& connection) {
  while (asks_already(connection.instance)) co_await loop_.sleep_for(kPoll);
  connection.asking = true;
  const std::vector<std::string> intents = co_await writer_.open_intents(connection.instance);
  const std::vector<std::string_view> views(intents.begin(), intents.end());
  for (Message& message : audit::intents_messages(views)) send(connection, std::move(message));
  while (connection.writing) co_await loop_.sleep_for(kPoll);
  connection.asking = false;
}

bool Intake::asks_already(std::string_view instance) const {
  return std::ranges::any_of(connections_, [&](const Connection& other) {
    return other.asking && other.instance == instance;
  });
}

void Intake::send(Connection& connection, Message message) {
  connection.outgoing.push_back(std::move(message));
  if (!connection.writing) async::spawn(write_out(connection));
}

Task<void> Intake::write_out(Connection& connection) {
  connection.writing = true;
  while (!connection.outgoing.empty()) {
    const std::deque<Message> messages = std::exchange(connection.outgoing, {});
    const std::size_t answers = std::exchange(connection.answers, 0);
    std::vector<async::Frame> frames(messages.begin(), messages.end());
    const Result<void> written = co_await connection.socket->write(frames);
    // Without a reader the rest is dropped in the next turn: a closed socket takes nothing.
    if (!written) connection.socket->close();
    connection.in_flight -= answers;
  }
  connection.writing = false;
}

bool Intake::permits(std::string_view instance, uid_t uid) const {
  return std::ranges::any_of(
      users_, [&](const WriterUser& user) { return user.instance == instance && user.uid == uid; });
}

bool Intake::has_room(uid_t uid) const {
  const auto instances = std::ranges::count(users_, uid, &WriterUser::uid);
  const std::size_t room = instances == 0
                               ? kStrangerConnectionsMax
                               : static_cast<std::size_t>(instances) * kConnectionsPerInstanceMax;
  const auto taken = std::ranges::count_if(connections_, [&](const Connection& connection) {
    return connection.socket->peer_uid() == uid;
  });
  return static_cast<std::size_t>(taken) < room;
}

void Intake::set_users(std::vector<WriterUser> users) {
  users_ = std::move(users);
  for (Connection& connection : connections_) {
    const bool greeted = !connection.instance.empty();
    if (greeted && !permits(connection.instance, connection.socket->peer_uid())) {
      connection.socket->close();
    }
  }
}

void Intake::tell_state(bool hangs) {
  hangs_ = hangs;
  for (Connection& connection : connections_) {
    if (connection.instance.empty()) continue;
    send(connection, audit::state_message(!hangs && writer_.accepts(connection.instance)));
  }
}

Task<void> Intake::close() {
  listener_->close();
  for (Connection& connection : connections_) connection.socket->close();
  while (accepting_connections_ || !connections_.empty() || denying_ > 0) {
    co_await loop_.sleep_for(kPoll);
  }
}

}  // namespace strongroom::auditd

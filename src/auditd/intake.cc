// Intake.
#include "auditd/intake.h"

#include <algorithm>
#include <chrono>

#include "audit/protocol.h"
#include "base/log.h"
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
  std::deque<Message> outgoing;  // answers not yet written
  std::size_t in_flight = 0;     // appends and questions without an answer
  bool writing = false;
};

Intake::Intake(async::Loop& loop, Writer& writer, std::unique_ptr<async::LocalListener> listener,
               std::vector<WriterUser> users)
    : loop_(loop), writer_(writer), listener_(std::move(listener)), users_(std::move(users)) {}

Intake::~Intake() { SR_CHECK(!accepting_connections_ && connections_.empty()); }

Result<std::unique_ptr<Intake>> Intake::listen(async::Loop& loop, Writer& writer,
                                               const std::string& socket_path,
                                               std::vector<WriterUser> users) {
  SR_TRY(auto listener, async::LocalListener::listen(loop, socket_path,
                                                     {.frame_bytes_max = audit::kMessageBytesMax}));
  std::unique_ptr<Intake> intake(new Intake(loop, writer, std::move(listener), std::move(users)));
  async::spawn(intake->accept_all());
  return intake;
}

Task<void> Intake::accept_all() {
  while (true) {
    auto socket = co_await listener_->accept();
    if (!socket) break;
    if (connections_.size() >= kConnectionsMax) {
      log::warn("audit intake has too many connections");
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
    log::warn("audit intake refuses a writer",
              {{"instance", hello->instance}, {"uid", connection.socket->peer_uid()}});
  }
  send(connection, audit::welcome_message(welcome, writer_.accepting()));
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
      async::spawn(answer_intents(connection));
    } else {
      break;
    }
  }
  log::warn("audit intake ends a connection that breaks the protocol",
            {{"instance", connection.instance}});
}

// The writer ends jobs in the order in which they came, so answers keep the order of the appends.
// `entries` lie in the bytes of `message`, which is held for them and does not move them.
Task<void> Intake::answer_append(Connection& connection, [[maybe_unused]] Message message,
                                 std::vector<std::string_view> entries) {
  ++connection.in_flight;
  const auto statuses = co_await writer_.append(connection.instance, entries);
  --connection.in_flight;
  send(connection, audit::acknowledgement_message(statuses));
}

Task<void> Intake::answer_intents(Connection& connection) {
  ++connection.in_flight;
  const std::vector<std::string> intents = co_await writer_.open_intents(connection.instance);
  --connection.in_flight;
  const std::vector<std::string_view> views(intents.begin(), intents.end());
  for (Message& message : audit::intents_messages(views)) send(connection, std::move(message));
}

void Intake::send(Connection& connection, Message message) {
  connection.outgoing.push_back(std::move(message));
  if (!connection.writing) async::spawn(write_out(connection));
}

Task<void> Intake::write_out(Connection& connection) {
  connection.writing = true;
  while (!connection.outgoing.empty()) {
    const std::deque<Message> messages = std::exchange(connection.outgoing, {});
    std::vector<async::Frame> frames(messages.begin(), messages.end());
    if (!co_await connection.socket->write(frames)) {
      connection.outgoing.clear();
      connection.socket->close();
    }
  }
  connection.writing = false;
}

bool Intake::permits(std::string_view instance, uid_t uid) const {
  return std::ranges::any_of(
      users_, [&](const WriterUser& user) { return user.instance == instance && user.uid == uid; });
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

void Intake::tell_state(bool accepting) {
  for (Connection& connection : connections_) {
    if (!connection.instance.empty()) send(connection, audit::state_message(accepting));
  }
}

Task<void> Intake::close() {
  listener_->close();
  for (Connection& connection : connections_) connection.socket->close();
  while (accepting_connections_ || !connections_.empty()) co_await loop_.sleep_for(kPoll);
}

}  // namespace strongroom::auditd

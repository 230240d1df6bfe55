// Intake: the socket where the host's processes leave their entries (docs/formats/audit-intake.md).
// Each instance has one user; the kernel says which user stands behind a connection.
#pragma once

#include <sys/types.h>

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "async/local_socket.h"
#include "async/loop.h"
#include "audit/denials.h"
#include "auditd/writer.h"
#include "base/log_recurring.h"

namespace strongroom::auditd {

struct WriterUser {
  std::string instance;
  uid_t uid;
};

// Per user and instance it runs: whoever takes over one writer does not keep the others out.
inline constexpr std::size_t kConnectionsPerInstanceMax = 64;
// Of a user that runs no instance, and is told so.
inline constexpr std::size_t kStrangerConnectionsMax = 4;
// Appends of a connection whose answers are not yet written; then it is not read.
inline constexpr std::size_t kAppendsInFlightMax = 4;

// Belongs to one Loop's thread.
class Intake {
 public:
  // What it refuses is written as `denials` (PCI DSS 10.2.1.4): users who may not write, entries
  // and messages that are none. conflict: another process serves `socket_path`; unavailable. All
  // that is borrowed outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Intake>> listen(async::Loop& loop, Writer& writer,
                                                              audit::Denials& denials,
                                                              const std::string& socket_path,
                                                              std::vector<WriterUser> users);
  ~Intake();  // REQUIRES: close() has ended
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Replaces the table; connections that it no longer permits are ended.
  void set_users(std::vector<WriterUser> users);
  // Tells every connection whether the journal takes its entries now; while it `hangs`, none's.
  void tell_state(bool hangs);
  // Stops listening, answers what was received, and ends every connection.
  [[nodiscard]] async::Task<void> close();

 private:
  struct Connection;
  Intake(async::Loop& loop, Writer& writer, audit::Denials& denials,
         std::unique_ptr<async::LocalListener> listener, std::vector<WriterUser> users);
  async::Task<void> accept_all();
  async::Task<void> serve(std::list<Connection>::iterator connection);
  async::Task<bool> greet(Connection& connection);
  async::Task<void> read_messages(Connection& connection);
  async::Task<void> answer_append(Connection& connection, audit::Message message,
                                  std::vector<std::string_view> entries);
  async::Task<void> answer_intents(Connection& connection);
  void send(Connection& connection, audit::Message message);
  async::Task<void> write_out(Connection& connection);
  async::Task<void> deny(std::string user, std::string operation, std::size_t count);
  [[nodiscard]] bool permits(std::string_view instance, uid_t uid) const;
  [[nodiscard]] bool has_room(uid_t uid) const;
  [[nodiscard]] bool asks_already(std::string_view instance) const;

  async::Loop& loop_;
  Writer& writer_;
  audit::Denials& denials_;
  std::unique_ptr<async::LocalListener> listener_;
  std::vector<WriterUser> users_;
  std::list<Connection> connections_;
  bool accepting_connections_ = true;
  std::size_t denying_ = 0;  // tasks that close() waits for
  bool hangs_ = false;       // as tell_state() was told last
  // Whoever may reach the socket can cause these at will.
  log::Recurring too_many_{"audit intake has too many connections of a user"};
  log::Recurring not_permitted_{"audit intake refuses a writer"};
  log::Recurring broken_{"audit intake ends a connection that breaks the protocol"};
};

}  // namespace strongroom::auditd

// SocketWatch: tells when a socket that a C library owns can be read or written, and when time is
// up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "async/loop.h"

namespace strongroom::storage {

// A SocketWatch belongs to one Loop, which outlives it. It never calls back inside one of its own
// members, nor after it is destroyed.
class SocketWatch {
 public:
  enum class Event : std::uint8_t { readable, writable, alarm, nudge };
  using Callback = std::function<void(Event)>;

  SocketWatch(async::Loop& loop, Callback callback);
  ~SocketWatch();
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;

  // One `readable` (or `writable`) event when `socket` is; asking again meanwhile changes nothing.
  // Another socket than before needs forget() first.
  void await_readable(int socket);
  void await_writable(int socket);
  // Drops the waits for the socket: to be called before its owner closes or replaces it.
  void forget();

  // One `alarm` event after `delay`, in place of the alarm set before.
  void set_alarm(std::chrono::milliseconds delay);
  void cancel_alarm();

  // One `nudge` event soon, however often it is called until then.
  void nudge();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the handlers of waits that may outlive *this
};

}  // namespace strongroom::storage

// Waits on Asio's reactor.
#include "storage/socket_watch.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "async/asio.h"

namespace strongroom::storage {

using Descriptor = boost::asio::posix::stream_descriptor;

struct SocketWatch::State : std::enable_shared_from_this<State> {
  State(async::Loop& owner, Callback on_event)
      : loop(owner),
        callback(std::move(on_event)),
        descriptor(owner.context()),
        timer(owner.context()) {}

  void await(int socket, Event event);
  void forget();
  void set_alarm(std::chrono::milliseconds delay);
  void nudge();

  async::Loop& loop;
  Callback callback;
  Descriptor descriptor;
  boost::asio::steady_timer timer;
  // What completes under another number than it began with is out of date, though it succeeded.
  std::uint64_t socket_epoch = 0;
  std::uint64_t alarm_epoch = 0;
  bool reading = false;
  bool writing = false;
  bool nudged = false;
};

void SocketWatch::State::await(int socket, Event event) {
  bool& waiting = event == Event::readable ? reading : writing;
  if (std::exchange(waiting, true)) return;
  if (!descriptor.is_open()) descriptor.assign(socket);
  const auto kind = event == Event::readable ? Descriptor::wait_read : Descriptor::wait_write;
  descriptor.async_wait(kind, [weak = weak_from_this(), event, epoch = socket_epoch](auto) {
    const auto self = weak.lock();
    if (!self || self->socket_epoch != epoch) return;
    (event == Event::readable ? self->reading : self->writing) = false;
    self->callback(event);  // on an error too: the owner's next read or write finds out
  });
}

void SocketWatch::State::forget() {
  ++socket_epoch;
  reading = writing = false;
  if (descriptor.is_open()) descriptor.release();  // the library closes it
}

void SocketWatch::State::set_alarm(std::chrono::milliseconds delay) {
  timer.expires_after(delay);
  timer.async_wait([weak = weak_from_this(), epoch = ++alarm_epoch](auto error) {
    const auto self = weak.lock();
    if (self && !error && self->alarm_epoch == epoch) self->callback(Event::alarm);
  });
}

void SocketWatch::State::nudge() {
  if (std::exchange(nudged, true)) return;
  loop.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->nudged = false;
    self->callback(Event::nudge);
  });
}

SocketWatch::SocketWatch(async::Loop& loop, Callback callback)
    : state_(std::make_shared<State>(loop, std::move(callback))) {}

SocketWatch::~SocketWatch() {
  forget();
  state_->callback = [](Event) {};
}

void SocketWatch::await_readable(int socket) { state_->await(socket, Event::readable); }
void SocketWatch::await_writable(int socket) { state_->await(socket, Event::writable); }
void SocketWatch::forget() { state_->forget(); }
void SocketWatch::set_alarm(std::chrono::milliseconds delay) { state_->set_alarm(delay); }
void SocketWatch::cancel_alarm() {
  ++state_->alarm_epoch;
  state_->timer.cancel();
}
void SocketWatch::nudge() { state_->nudge(); }

}  // namespace strongroom::storage

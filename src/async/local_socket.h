// Framed messages over Unix stream sockets, between the processes of one host. A frame is a u32be
// length and that many bytes. The kernel vouches for the peer's user (SO_PEERCRED).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"

namespace strongroom::async {

using Frame = std::span<const std::byte>;

struct LocalSocketLimits {
  std::size_t frame_bytes_max = std::size_t{2} << 20;  // a longer frame ends the connection
  std::chrono::milliseconds write_timeout{5'000};      // a peer that does not read is given up
};

// One connection. Belongs to its Loop's thread; at most one read() and one write() at a time.
// Destroy it only when neither is under way (close() makes both end).
class LocalSocket {
 public:
  // unavailable: nobody listens at `path`.
  [[nodiscard]] static Task<Result<std::unique_ptr<LocalSocket>>> connect(
      Loop& loop, std::string path, LocalSocketLimits limits = {});
  ~LocalSocket();
  LocalSocket(const LocalSocket&) = delete;
  LocalSocket& operator=(const LocalSocket&) = delete;

  // The peer's effective user when it connected or listened.
  [[nodiscard]] uid_t peer_uid() const noexcept;

  // Writes all frames with one writev while the socket takes them. After an error the connection is
  // of no more use. `frames` must outlive the call. unavailable, exhausted (write_timeout),
  // too_large.
  [[nodiscard]] Task<Result<void>> write(std::span<const Frame> frames);
  // The next frame. exhausted: none within `timeout` (zero: no limit), and the connection is as it
  // was; unavailable: closed; too_large: the peer announced more than frame_bytes_max.
  [[nodiscard]] Task<Result<std::vector<std::byte>>> read(std::chrono::milliseconds timeout = {});
  // Ends the connection; what is under way ends with unavailable. Any number of times.
  void close() noexcept;

 private:
  friend class LocalListener;
  struct Impl;
  explicit LocalSocket(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with a timer that is about to fire
};

// A listening socket. Belongs to its Loop's thread.
class LocalListener {
 public:
  // Replaces a stale socket at `path` and sets its mode to 0660. conflict: another process listens
  // there; invalid_argument: the path is too long; unavailable (detail: errno).
  [[nodiscard]] static Result<std::unique_ptr<LocalListener>> listen(Loop& loop, std::string path,
                                                                     LocalSocketLimits limits = {});
  ~LocalListener();
  LocalListener(const LocalListener&) = delete;
  LocalListener& operator=(const LocalListener&) = delete;

  // The next connection; one accept() at a time. unavailable: the listener is closed.
  [[nodiscard]] Task<Result<std::unique_ptr<LocalSocket>>> accept();
  // Stops listening and removes the path; a waiting accept() ends with unavailable.
  void close() noexcept;

 private:
  struct Impl;
  explicit LocalListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace strongroom::async

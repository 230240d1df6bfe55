// ByteStream: bytes to one outside peer over TLS, for protocols that are not HTTP.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "http/tls.h"

namespace strongroom::http {

struct ByteStreamOptions {
  std::string host{};  // the peer's certificate must name it
  std::uint16_t port = 0;
  std::vector<std::string> addresses{};  // of `host`, tried in this order
  std::shared_ptr<const TlsContext> tls{};
  std::chrono::milliseconds connect_timeout{5'000};  // TCP and TLS together
  std::chrono::milliseconds write_timeout{10'000};   // a peer that does not read is given up
};

// Belongs to its Loop's thread; one write() at a time. Destroying it ends the connection.
class ByteStream {
 public:
  // unavailable; permission_denied: the peer is not who it must be, or refuses us.
  [[nodiscard]] static async::Task<Result<std::unique_ptr<ByteStream>>> open(
      async::Loop& loop, ByteStreamOptions options);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // All of `bytes`, which outlive the call, are with the kernel: whether the peer got them nobody
  // knows. After an error (unavailable, permission_denied) the stream is of no more use.
  [[nodiscard]] async::Task<Result<void>> write(std::span<const std::byte> bytes);
  // False when the peer has ended the connection, as far as this host knows.
  [[nodiscard]] bool is_alive();
  // Tells the peer that nothing more comes.
  void finish();

 private:
  struct Impl;
  explicit ByteStream(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace strongroom::http

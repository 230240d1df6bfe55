// A server for tests that misbehaves as it is told: one script per connection, in order.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "http/testing/raw_connection.h"

namespace strongroom::http::testing {

class RawServer {
 public:
  using Script = std::function<void(RawConnection&)>;

  RawServer(std::shared_ptr<const TlsContext> tls, std::vector<Script> scripts)
      : listener_(*internal::listen_tcp("127.0.0.1", 0)),
        port_(internal::local_port(listener_.get())),
        thread_([this, tls = std::move(tls), scripts = std::move(scripts)] {
          for (const Script& script : scripts) serve(tls, script);
        }) {}
  ~RawServer() { thread_.join(); }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  void serve(const std::shared_ptr<const TlsContext>& tls, const Script& script) {
    pollfd waiting{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waiting, 1, 5'000), 1);
    auto accepted = internal::accept(listener_.get());
    ASSERT_TRUE(accepted.has_value() && accepted->has_value());
    const int fd = (*accepted)->fd.get();
    RawConnection connection(std::move((*accepted)->fd), internal::tls_server_transport(fd, tls));
    if (connection.handshake() == internal::IoStatus::done) script(connection);
  }

  internal::FileDescriptor listener_;
  std::uint16_t port_;
  std::thread thread_;
};

}  // namespace strongroom::http::testing

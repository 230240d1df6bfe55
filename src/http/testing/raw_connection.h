// A peer for tests that says exactly the bytes it is told, over TLS, TCP or a Unix socket,
// blocking.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "http/internal/socket.h"
#include "http/internal/transport.h"

namespace strongroom::http::testing {

class RawConnection {
 public:
  static constexpr std::chrono::milliseconds kPatience{5'000};

  RawConnection(std::uint16_t port, std::shared_ptr<const TlsContext> tls,
                const std::string& server_identity = "vaultd")
      : fd_(*internal::start_connect_tcp("127.0.0.1", port)) {
    wait(POLLOUT);
    transport_ = tls ? internal::tls_client_transport(fd_.get(), std::move(tls),
                                                      {.identity = server_identity, .host = ""})
                     : internal::plain_transport(fd_.get());
  }
  explicit RawConnection(const std::string& unix_path)
      : fd_(*internal::start_connect_unix(unix_path)),
        transport_(internal::plain_transport(fd_.get())) {}

  RawConnection(internal::FileDescriptor fd, std::unique_ptr<internal::Transport> transport)
      : fd_(std::move(fd)), transport_(std::move(transport)) {}

  [[nodiscard]] internal::IoStatus handshake() {
    return drive([this] { return transport_->handshake(); });
  }
  // False when the connection broke.
  bool say(std::string_view text) {
    std::span<const std::byte> left = as_bytes(text);
    while (!left.empty()) {
      internal::Io io;
      if (drive([&] { return (io = transport_->write(left)).status; }) !=
          internal::IoStatus::done) {
        return false;
      }
      left = left.subspan(io.size);
    }
    return true;
  }
  // The next message with its body; empty when the connection ends before it is whole.
  std::string hear() {
    for (;;) {
      if (const std::size_t size = message_size(); size != 0) {
        std::string message = heard_.substr(0, size);
        heard_.erase(0, size);
        return message;
      }
      if (!hear_more()) return {};
    }
  }
  // Everything until the connection ends.
  std::string hear_all() {
    while (hear_more()) {
    }
    return std::exchange(heard_, {});
  }
  // True when the peer closes within kPatience without saying anything more.
  bool is_closed() { return heard_.empty() && !hear_more() && !patience_ended_; }
  int fd() const { return fd_.get(); }

 private:
  bool wait(short events) {
    pollfd waiting{.fd = fd_.get(), .events = events, .revents = 0};
    const bool ready = ::poll(&waiting, 1, static_cast<int>(kPatience.count())) == 1;
    patience_ended_ = patience_ended_ || !ready;
    return ready;
  }
  template <class Step>
  internal::IoStatus drive(Step step) {
    for (;;) {
      const internal::IoStatus status = step();
      if (status != internal::IoStatus::want_read && status != internal::IoStatus::want_write) {
        return status;
      }
      if (!wait(status == internal::IoStatus::want_read ? POLLIN : POLLOUT)) {
        return internal::IoStatus::failed;
      }
    }
  }
  bool hear_more() {
    std::array<std::byte, 4096> into;
    internal::Io io;
    if (drive([&] { return (io = transport_->read(into)).status; }) != internal::IoStatus::done) {
      return false;
    }
    heard_.append(as_text(std::span(into).first(io.size)));
    return true;
  }
  [[nodiscard]] std::size_t message_size() const {
    const std::size_t head = heard_.find("\r\n\r\n");
    if (head == std::string::npos) return 0;
    const std::size_t field = heard_.find("Content-Length: ");
    const std::size_t body = field < head ? std::stoul(heard_.substr(field + 16)) : 0;
    return heard_.size() >= head + 4 + body ? head + 4 + body : 0;
  }

  internal::FileDescriptor fd_;
  std::unique_ptr<internal::Transport> transport_;
  std::string heard_;
  bool patience_ended_ = false;
};

// "POST path" with the fields that every request needs.
inline std::string post(std::string_view path, std::string_view body,
                        std::string_view more_fields = "") {
  std::string text = "POST ";
  text.append(path).append(" HTTP/1.1\r\nHost: vaultd\r\nContent-Length: ");
  text.append(std::to_string(body.size())).append("\r\n").append(more_fields).append("\r\n");
  return text.append(body);
}
inline std::string get(std::string_view path, std::string_view more_fields = "") {
  std::string text = "GET ";
  return text.append(path)
      .append(" HTTP/1.1\r\nHost: vaultd\r\n")
      .append(more_fields)
      .append("\r\n");
}

}  // namespace strongroom::http::testing

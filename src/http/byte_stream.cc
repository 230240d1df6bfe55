// The connection is a client's, without requests and answers.
#include "http/byte_stream.h"

#include <utility>

#include "base/try.h"
#include "http/client.h"
#include "http/internal/client_connection.h"
#include "http/internal/deadline.h"

namespace strongroom::http {

struct ByteStream::Impl {
  Impl(async::Loop& loop, std::chrono::milliseconds timeout)
      : deadlines(loop, timeout), write_timeout(timeout) {}

  internal::Deadlines deadlines;
  std::chrono::milliseconds write_timeout;
  std::unique_ptr<internal::ClientConnection> connection{};
};

ByteStream::ByteStream(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ByteStream::~ByteStream() = default;

async::Task<Result<std::unique_ptr<ByteStream>>> ByteStream::open(async::Loop& loop,
                                                                  ByteStreamOptions options) {
  auto impl = std::make_unique<Impl>(loop, options.write_timeout);
  ClientOptions client{.host = std::move(options.host),
                       .port = options.port,
                       .addresses = std::move(options.addresses),
                       .tls = std::move(options.tls),
                       .connect_timeout = options.connect_timeout};
  SR_CO_TRY(impl->connection,
            co_await internal::ClientConnection::open(loop, impl->deadlines, client));
  co_return std::unique_ptr<ByteStream>(new ByteStream(std::move(impl)));
}

async::Task<Result<void>> ByteStream::write(std::span<const std::byte> bytes) {
  co_return co_await impl_->connection->send(bytes, impl_->write_timeout);
}

bool ByteStream::is_alive() { return impl_->connection->is_alive(); }
void ByteStream::finish() { impl_->connection->finish(); }

}  // namespace strongroom::http

// Asio's resolver, which asks getaddrinfo on a thread of its own.
#include "http/internal/resolve.h"

#include <boost/asio/ip/tcp.hpp>

#include "async/asio.h"

namespace strongroom::http::internal {

async::Task<Result<std::vector<std::string>>> resolve(async::Loop& loop, std::string host) {
  using boost::asio::ip::tcp;
  using Addresses = Result<std::vector<std::string>>;
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(host, not_an_address);
  if (!not_an_address) co_return Addresses(std::vector{std::move(host)});
  // Known without asking, so that a sandbox without the resolver's files can use it.
  if (host == "localhost") co_return Addresses(std::vector<std::string>{"127.0.0.1"});

  tcp::resolver resolver(loop.context());
  auto [error, results] = co_await async::completion<tcp::resolver::results_type>([&](auto done) {
    resolver.async_resolve(host, "", tcp::resolver::numeric_service, std::move(done));
  });
  if (error) co_return fail({ErrorCode::unavailable, "the peer's name is not known"});
  std::vector<std::string> addresses;
  for (const auto& entry : results) addresses.push_back(entry.endpoint().address().to_string());
  co_return Addresses(std::move(addresses));
}

}  // namespace strongroom::http::internal

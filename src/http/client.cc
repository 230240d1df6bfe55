// Client: the public face of ClientState.
#include "http/client.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "http/internal/client_state.h"

namespace strongroom::http {
namespace {

async::Task<Result<ClientResponse>> send_and_close(Client& client, const ClientRequest& request) {
  auto response = co_await client.send(request);
  co_await client.close();
  co_return response;
}

}  // namespace

std::string_view ClientResponse::header(std::string_view lower_case_name) const noexcept {
  const auto found =
      std::ranges::find(headers, lower_case_name, &std::pair<std::string, std::string>::first);
  return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

Client::Client(async::Loop& loop, ClientOptions options)
    : state_(std::make_unique<internal::ClientState>(loop, std::move(options))) {}
Client::~Client() = default;

async::Task<Result<ClientResponse>> Client::send(const ClientRequest& request) {
  return state_->send(request);
}
void Client::set_tls(std::shared_ptr<const TlsContext> tls) { state_->set_tls(std::move(tls)); }
async::Task<void> Client::close() { return state_->close(); }

Result<ClientResponse> send_once(ClientOptions options, const ClientRequest& request) {
  async::Loop loop;
  Client client(loop, std::move(options));
  return loop.run_until_done(send_and_close(client, request));
}

}  // namespace strongroom::http

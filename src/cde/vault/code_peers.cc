// One after the other in the token's order, as who pays will ask them. A code whose peer did not
// say that it has it, though it may, is held by nobody else: it must not be used twice.
#include "cde/vault/code_peers.h"

#include <utility>

#include "base/log.h"
#include "base/rendezvous.h"
#include "cde/card/cvc_request.h"

namespace strongroom::cde {

HttpCodePeers::HttpCodePeers(std::string own, Clients peers)
    : own_(std::move(own)), peers_(std::move(peers)) {
  names_.reserve(peers_.size() + 1);
  for (const auto& [name, client] : peers_) names_.push_back(name);
  names_.push_back(own_);
}

async::Task<bool> HttpCodePeers::take(PublicToken token, const Cvc& cvc, std::string ticket,
                                      std::string request_id) {
  if (peers_.empty()) co_return false;
  const std::string target = "/v1/cards/" + token.text() + "/cvc";
  for (const std::string& name : rendezvous_order(names_, token.text())) {
    if (name == own_) co_return false;
    const Result<SecretBytes> body = cvc_request_json(cvc);
    if (!body) co_return false;
    http::ClientRequest request{
        .method = http::Method::put, .target = target, .body = body->reveal()};
    request.headers.emplace_back("Strongroom-Ticket", ticket);
    request.headers.emplace_back("Strongroom-Request-Id", request_id);
    request.headers.emplace_back("Content-Type", "application/json");
    const Result<http::ClientResponse> response = co_await peers_.at(name)->send(request);
    if (response && response->status == 204) co_return true;
    if (!response && response.error().code() == ErrorCode::unknown_outcome) co_return true;
    log::warn("a peer does not take a verification code", {{"peer", name}});
  }
  co_return false;
}

void HttpCodePeers::set_tls(const std::shared_ptr<const http::TlsContext>& tls) {
  for (const auto& [name, client] : peers_) client->set_tls(tls);
}

async::Task<void> HttpCodePeers::close() {
  for (const auto& [name, client] : peers_) co_await client->close();
}

}  // namespace strongroom::cde

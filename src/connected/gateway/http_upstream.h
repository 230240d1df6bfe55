// VaultClient and ConnectorClient over mutual TLS.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "connected/gateway/upstream.h"
#include "http/client.h"
#include "http/client_group.h"

namespace strongroom::connected::gateway {

// Both belong to one Loop; the clients outlive them.
class HttpVault final : public VaultClient {
 public:
  explicit HttpVault(http::ClientGroup& vaultds) noexcept : vaultds_(vaultds) {}
  [[nodiscard]] async::Task<Answer<Resolved>> processor_token(Origin origin, Resolve what) override;

 private:
  http::ClientGroup& vaultds_;  // the one that holds a token's code is asked for it
};

class HttpConnectors final : public ConnectorClient {
 public:
  using Clients = std::map<std::string, std::unique_ptr<http::Client>, std::less<>>;

  // `clients` by the connector's name.
  explicit HttpConnectors(const Clients& clients) noexcept : clients_(clients) {}

  [[nodiscard]] bool has(std::string_view connector) const override {
    return clients_.contains(connector);
  }
  [[nodiscard]] async::Task<Answer<payments::PayAnswer>> authorize(
      Origin origin, std::string connector, payments::Operation operation,
      payments::AuthorizationRequest request) override;
  [[nodiscard]] async::Task<Answer<payments::PayAnswer>> change(
      Origin origin, std::string connector, payments::Operation operation,
      std::string processor_reference, payments::TransactionRequest request) override;
  [[nodiscard]] async::Task<Answer<payments::LookUpAnswer>> look_up(
      Origin origin, std::string connector, payments::LookUpRequest request) override;

 private:
  async::Task<Answer<payments::PayAnswer>> pay(Origin origin, std::string connector,
                                               std::string target, std::string body);

  const Clients& clients_;
};

}  // namespace strongroom::connected::gateway

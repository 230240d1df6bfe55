// [edged] of strongroom.toml.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "base/config.h"
#include "service/deployment.h"

namespace strongroom::edged {

struct Config {
  service::Address listen;          // for everyone
  service::Credentials public_tls;  // shown to clients; by default the service's own
  service::Credentials tls;         // shown to the services behind
  service::Address authd;
  std::map<std::string, service::Address> vaultds;  // by name
  std::optional<service::Address> gatewayd;         // absent: a vault without payments
  std::optional<service::Address> audit_relay;
  std::size_t workers = 1;

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::edged

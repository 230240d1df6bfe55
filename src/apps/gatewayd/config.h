// [gatewayd] of strongroom.toml.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "base/config.h"
#include "service/database_url.h"
#include "service/deployment.h"

namespace strongroom::gatewayd {

struct Config {
  service::Address listen;  // for edged, mutual TLS
  service::Credentials credentials;
  service::DatabaseUrl database;                       // payments
  std::map<std::string, service::Address> vaultds;     // by name
  std::map<std::string, service::Address> connectors;  // by name: "stripe" is connectord-stripe
  std::size_t workers = 1;

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::gatewayd

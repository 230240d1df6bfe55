// [authd] of strongroom.toml.
#pragma once

#include <cstddef>
#include <string>

#include "base/config.h"
#include "service/database_url.h"
#include "service/deployment.h"

namespace strongroom::authd {

struct Config {
  service::Address listen;  // for services, mutual TLS
  service::Credentials credentials;
  service::DatabaseUrl database;  // merchants and API keys
  std::string ticket_key_path;    // ticket_key: the sealed file of the key `ticket`
  SecretReference passphrase;     // that opens it
  std::size_t workers = 1;

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::authd

// [connectord.NAME] of strongroom.toml: one instance for one processor.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "service/deployment.h"

namespace strongroom::connectord {

// Where the processor is, and whom to believe about it.
struct Processor {
  std::string host;  // a name that its certificate must have, or an IP address
  std::uint16_t port = 0;
  // Where `host` is. Empty: the name is looked up once, at start, for a sandbox cannot ask.
  std::vector<std::string> addresses{};
  std::string ca_path;  // PEM of the authorities that may say who `host` is
  std::chrono::milliseconds answer_timeout{};
  std::size_t connections_max = 0;
};

struct Config {
  service::Address listen;  // for services, mutual TLS
  service::Credentials credentials;
  std::string connector;       // the processor: "stripe"
  bool stores = false;         // roles: serves vaultd
  bool pays = false;           // roles: serves gatewayd
  std::string seal_key_path;   // seal_key: the sealed file of the key `connector-seal`
  SecretReference passphrase;  // that opens it
  Processor processor;
  std::size_t workers = 1;

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::connectord

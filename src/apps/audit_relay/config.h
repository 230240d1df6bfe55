// [audit-relay] of strongroom.toml.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/config.h"
#include "connected/relay/export_format.h"
#include "connected/relay/export_sink.h"
#include "service/deployment.h"

namespace strongroom::audit_relay {

// Where copies of the log go: [audit-relay.export.NAME].
struct Export {
  std::string name;
  connected::relay::ExportFormat format{};
  std::string destination;  // as it is written
  // tls://HOST:PORT
  service::Address host{};
  std::vector<std::string> addresses{};  // of host; empty: looked up once, at start
  std::string ca_path{};                 // who may say who the host is
  service::Credentials credentials{};    // shown to it; empty: none
  // file:PATH
  connected::relay::FileSinkOptions file{};
  [[nodiscard]] bool is_file() const noexcept { return !file.path.empty(); }
};

struct Config {
  service::Address listen;  // for edged, mutual TLS
  service::Credentials credentials;
  std::string directory;  // of the audit log, which auditd writes
  std::string data;       // data: folder of its own
  std::vector<Export> exports;
  // witnesses = { name = "address:port" }, which serve HTTPS; none: the files are carried.
  std::map<std::string, service::Address> witnesses;
  std::string witness_ca;  // PEM file of who may say who they are; empty without witnesses

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::audit_relay

// [audit-relay] of strongroom.toml.
#pragma once

#include <string>

#include "base/config.h"
#include "service/deployment.h"

namespace strongroom::audit_relay {

struct Config {
  service::Address listen;  // for edged, mutual TLS
  service::Credentials credentials;
  std::string directory;  // of the audit log, which auditd writes
  std::string data;       // data: folder of what can be made anew from the log

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::audit_relay

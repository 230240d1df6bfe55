// The keys of [edged], each once.
#include "apps/edged/config.h"

#include "base/try.h"

namespace strongroom::edged {

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.tls = service::read_credentials(section);
  config.public_tls = config.tls;
  if (section.has("public_certificate") || section.has("public_key")) {
    config.public_tls = {section.path("public_certificate"), section.path("public_key")};
  }
  config.authd = service::read_address(section, "authd");
  config.vaultds = service::read_vaultds(section);
  if (section.has("gatewayd")) config.gatewayd = service::read_address(section, "gatewayd");
  if (section.has("audit_relay")) {
    config.audit_relay = service::read_address(section, "audit_relay");
  }
  config.workers = static_cast<std::size_t>(section.integer("workers", 1, 64, 1));
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::edged

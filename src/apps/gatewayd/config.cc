// The keys of [gatewayd], each once.
#include "apps/gatewayd/config.h"

#include "base/try.h"

namespace strongroom::gatewayd {
ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.credentials = service::read_credentials(section);
  config.database = service::database_url(deployment, section, "database");
  config.vaultds = service::read_vaultds(section);
  config.connectors = service::read_places(section, "connectors");
  config.workers = static_cast<std::size_t>(section.integer("workers", 1, 64, 1));
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::gatewayd

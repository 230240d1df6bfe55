// The keys of [audit-relay], each once.
#include "apps/audit_relay/config.h"

#include "base/try.h"

namespace strongroom::audit_relay {

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.credentials = service::read_credentials(section);
  config.directory = section.path("directory");
  config.data = section.path("data");
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::audit_relay

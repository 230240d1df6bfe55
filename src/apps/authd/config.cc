// The keys of [authd], each once.
#include "apps/authd/config.h"

#include "base/try.h"

namespace strongroom::authd {

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.credentials = service::read_credentials(section);
  config.database = service::database_url(deployment, section, "database");
  config.ticket_key_path = section.path("ticket_key");
  config.passphrase = section.secret("passphrase");
  config.workers = static_cast<std::size_t>(section.integer("workers", 1, 64, 1));
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::authd

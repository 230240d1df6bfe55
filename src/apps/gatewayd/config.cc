// The keys of [gatewayd], each once.
#include "apps/gatewayd/config.h"

#include "base/try.h"
#include "wire/sealed_head.h"

namespace strongroom::gatewayd {
namespace {

constexpr Error kNoName{ErrorCode::invalid_argument,
                        "names of connectors are 1 to 32 of a-z, 0-9 and '-'"};

std::map<std::string, service::Address> read_connectors(ConfigSection& section) {
  std::map<std::string, service::Address> connectors;
  for (const auto& [name, text] : section.table("connectors")) {
    const auto address = service::parse_address(text);
    if (!wire::is_connector_name(name)) {
      section.refuse("connectors", kNoName);
    } else if (!address) {
      section.refuse("connectors", address.error());
    } else {
      connectors.emplace(name, *address);
    }
  }
  return connectors;
}

}  // namespace

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.credentials = service::read_credentials(section);
  config.database = service::database_url(deployment, section, "database");
  config.vaultd = service::read_address(section, "vaultd");
  config.connectors = read_connectors(section);
  config.workers = static_cast<std::size_t>(section.integer("workers", 1, 64, 1));
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::gatewayd

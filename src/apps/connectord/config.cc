// The keys of [connectord.NAME], each once.
#include "apps/connectord/config.h"

#include "base/try.h"
#include "service/outside_host.h"

namespace strongroom::connectord {
namespace {

void read_roles(ConfigSection& section, Config& config) {
  for (const std::string& role : section.text_list("roles")) {
    if (role == "store") {
      config.stores = true;
    } else if (role == "pay") {
      config.pays = true;
    } else {
      section.refuse("roles", {ErrorCode::invalid_argument, "knows \"store\" and \"pay\" only"});
    }
  }
  if (!config.stores && !config.pays) {
    section.refuse("roles", {ErrorCode::invalid_argument, "must name \"store\", \"pay\" or both"});
  }
}

Processor read_processor(ConfigSection& section) {
  Processor processor;
  if (auto host = service::parse_host(section.text("host"))) {
    processor.host = std::move(host->host);
    processor.port = host->port;
  } else {
    section.refuse("host", host.error());
  }
  processor.addresses = service::read_addresses(section, "addresses");
  processor.ca_path = section.path("ca");
  processor.answer_timeout =
      std::chrono::milliseconds(section.integer("answer_timeout_ms", 100, 120'000, 30'000));
  processor.connections_max = static_cast<std::size_t>(section.integer("connections", 1, 1024, 64));
  return processor;
}

}  // namespace

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  if (deployment.instance == deployment.program && !section.has("listen")) {
    section.refuse("--instance", {ErrorCode::invalid_argument,
                                  "which [connectord.NAME] to run is not said: give connectord-NAME"
                                  " by"});
  }
  Config config;
  config.listen = service::read_address(section, "listen");
  config.credentials = service::read_credentials(section);
  read_roles(section, config);
  config.connector = section.choice("connector", {"stripe"}, "stripe");
  config.seal_key_path = section.path("seal_key");
  config.passphrase = section.secret("passphrase");
  config.processor = read_processor(section);
  config.workers = static_cast<std::size_t>(section.integer("workers", 1, 64, 1));
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::connectord

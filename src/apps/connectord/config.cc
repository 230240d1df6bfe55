// The keys of [connectord.NAME], each once.
#include "apps/connectord/config.h"

#include <algorithm>
#include <charconv>

#include "base/try.h"

namespace strongroom::connectord {
namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 section 2.3.4

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

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
  if (auto host = parse_host(section.text("host"))) {
    processor.host = std::move(host->host);
    processor.port = host->port;
  } else {
    section.refuse("host", host.error());
  }
  processor.addresses = section.text_list("addresses");
  for (const std::string& address : processor.addresses) {
    if (!service::parse_address(address.find(':') == std::string::npos ? address + ":1"
                                                                       : "[" + address + "]:1")) {
      section.refuse("addresses", {ErrorCode::invalid_argument, "takes IP addresses only"});
    }
  }
  processor.ca_path = section.path("ca");
  processor.answer_timeout =
      std::chrono::milliseconds(section.integer("answer_timeout_ms", 100, 120'000, 30'000));
  processor.connections_max = static_cast<std::size_t>(section.integer("connections", 1, 1024, 64));
  return processor;
}

}  // namespace

Result<service::Address> parse_host(std::string_view text) {
  constexpr Error kNotAHost{ErrorCode::invalid_argument,
                            "must be a host and a port, as api.stripe.com:443"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kHostBytesMax) {
    return fail(kNotAHost);
  }
  service::Address host{.host = std::string(text.substr(0, colon)), .port = 0};
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), host.port);
  if (error != std::errc{} || end != port.data() + port.size() || host.port == 0 ||
      !std::ranges::all_of(host.host, is_host_character)) {
    return fail(kNotAHost);
  }
  return host;
}

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

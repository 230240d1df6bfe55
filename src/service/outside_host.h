// Hosts outside of the deployment, which have names: processors, sinks of the audit log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "service/deployment.h"

namespace strongroom::service {

// "api.stripe.com:443": a name in lower case or an IPv4 address, and a port. invalid_argument.
[[nodiscard]] Result<Address> parse_host(std::string_view text);
// The IP addresses at `key` of a section, `addresses = ["192.0.2.1"]`; refuses there what is none.
[[nodiscard]] std::vector<std::string> read_addresses(ConfigSection& section, std::string_view key);
// True for a name that somebody must be asked about: no address, and not "localhost".
[[nodiscard]] bool needs_look_up(const std::string& host);
// The addresses of a name, now: inside the sandbox nobody can be asked. unavailable.
[[nodiscard]] Result<std::vector<std::string>> look_up(const std::string& name);

}  // namespace strongroom::service

// What `strongroom init` makes, as data: ports, databases, names. Pure but for the search for free
// ports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::tool {

struct InitOptions {
  std::string directory;  // DIR
  std::string profile = "demo";
  std::string trust_domain = "strongroom.local";
  std::string vault_database{};  // libpq URI; empty: SQLite under DIR/data
  std::string auth_database{};
  std::string core_database{};
  std::string hsm_module = "/usr/lib/softhsm/libsofthsm2.so";
  // "hardware" or "software"; empty: what the module's name tells, which production does not take
  // for consent to go without hardware.
  std::string hsm_assurance{};
  std::optional<std::uint16_t>
      port_base{};  // edged and the others from here on; free ports if none
};

struct InitPlan {
  InitOptions options;
  std::uint16_t edged_port = 0;
  std::uint16_t authd_port = 0;
  std::uint16_t vaultd_port = 0;
  std::uint16_t stripe_port = 0;  // connectord-stripe's
  std::uint16_t gatewayd_port = 0;
  std::uint16_t simulator_port = 0;  // psp-sim's, in the demo profile
  std::uint16_t relay_port = 0;      // audit-relay's
  bool soft_hsm = true;              // the module keeps its token in DIR/hsm
};

// unavailable: no free ports; invalid_argument: port_base leaves no room, trust_domain has other
// characters than SPIFFE allows (a-z 0-9 . - _), or production would run on SoftHSM unasked.
[[nodiscard]] Result<InitPlan> make_plan(InitOptions options);

// The text of strongroom.toml: every key a daemon reads, with a comment.
[[nodiscard]] std::string configuration_text(const InitPlan& plan);
// SoftHSM's own configuration file.
[[nodiscard]] std::string softhsm_text(std::string_view directory);

}  // namespace strongroom::tool

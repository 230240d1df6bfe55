// What `strongroom init` makes, as data: ports, databases, names. Pure but for the search for free
// ports.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <set>
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
  std::string hsm_token = "strongroom";  // label
  // Where the user PIN of a token that is there already stands; empty: the token is made, with PINs
  // of its own.
  std::string hsm_pin_file{};
  std::string hsm_settings_file{};  // more lines for [hsm], as this module needs them; empty: none
  // "hardware" or "software"; empty: what the module's name tells, which production does not take
  // for consent to go without hardware.
  std::string hsm_assurance{};
  std::optional<std::uint16_t>
      port_base{};  // edged and the others from here on; free ports if none
};

struct InitPlan {
  InitOptions options;
  std::string hsm_settings{};        // the text of that file
  std::set<std::string> hsm_keys{};  // the keys in it
  std::uint16_t edged_port = 0;
  std::uint16_t authd_port = 0;
  std::uint16_t vaultd_port = 0;
  std::uint16_t stripe_port = 0;  // connectord-stripe's
  std::uint16_t gatewayd_port = 0;
  std::uint16_t simulator_port = 0;  // psp-sim's, in the demo profile
  std::uint16_t relay_port = 0;      // audit-relay's
  bool soft_hsm = true;              // the module keeps its token in DIR/hsm

  // Its token is there already, and so is its PIN.
  [[nodiscard]] bool has_token() const noexcept { return !options.hsm_pin_file.empty(); }
};

// Or why not: no free ports, port_base leaves no room, trust_domain has other characters than
// SPIFFE allows (a-z 0-9 . - _), production would run on a software module unasked, or
// hsm_settings_file has something else than lines for [hsm].
[[nodiscard]] std::expected<InitPlan, std::string> make_plan(InitOptions options);

// The text of strongroom.toml: every key a daemon reads, with a comment.
[[nodiscard]] std::string configuration_text(const InitPlan& plan);
// SoftHSM's own configuration file.
[[nodiscard]] std::string softhsm_text(std::string_view directory);

}  // namespace strongroom::tool

// [vaultd] and [hsm] of strongroom.toml.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "cde/vault/budgets.h"
#include "cde/vault/retention.h"
#include "pkcs11/module.h"
#include "service/database_url.h"
#include "service/deployment.h"

namespace strongroom::vaultd {

struct HsmConfig {
  std::string module;  // path of the PKCS#11 library
  std::string token;   // label
  SecretReference pin;
  std::string refused_pin_path;           // DIR/data/<instance>/refused-pin (RefusedPin)
  std::optional<SecretReference> so_pin;  // only `--init` of a blank token needs it
  std::string softhsm_conf;               // SoftHSM's own configuration file; empty for others
  std::string token_folder;               // where the module keeps tokens in files, or empty
  pkcs11::ModuleOptions options;          // parameters and mechanisms of the module
  std::map<std::string, std::string> environment;  // set before the module is loaded
  std::vector<std::string> read_paths;             // files and folders that it reads while it works
  std::vector<service::Address> connects;          // where it reaches its device
  bool software = false;                           // keys are this host's files and memory
  bool inline_calls = true;  // on the worker's thread; false: on threads of their own
  bool copy_keys = true;     // work with session copies of the keys
  std::size_t sessions = 1;  // threads and sessions when not inline
};

struct Config {
  service::Address listen;                             // for services, mutual TLS
  service::Credentials tls;                            // certificate, key
  service::DatabaseUrl database;                       // cards
  std::map<std::string, service::Address> connectors;  // by name: "stripe" is connectord-stripe
  std::string name;                                    // among the vaultd of this database
  std::map<std::string, service::Address> peers;       // the others, by name
  std::size_t workers = 1;
  std::int64_t new_cards_per_truncation_daily = 100;  // of one merchant (cde::CardStore)
  std::array<cde::Budget, cde::kActs> budgets{};
  cde::Budget deletes{};  // above it they wait for an operator
  cde::Retention retention;
  std::chrono::hours purge_after{24};  // from a card's expiry to its erasure
  std::chrono::days erase_within{30};  // from a deletion to the end of the card's key
  HsmConfig hsm;

  [[nodiscard]] static ConfigResult<Config> read(const service::Deployment& deployment);
};

}  // namespace strongroom::vaultd

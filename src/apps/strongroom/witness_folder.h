// The folder of a witness, which somebody else than the log's operator keeps, on another host:
// making it, and reading it.
//
//   etc/witness.toml  [witness]: its name, the secret that opens its key, where it serves
//   etc/logs          the logs that it knows, a line `log <vkey>` each
//   secret/           key.sealed (sealed file of purpose `witness-cosignature`), passphrase
//   state/            what it has cosigned (witness/witness.h)
//   witness.vkey      the verifier key, for those whose logs it watches
#pragma once

#include <optional>
#include <string>

#include "base/config.h"
#include "crypto/signer.h"
#include "service/deployment.h"
#include "service/start_error.h"

namespace strongroom::tool {

struct WitnessSettings {
  std::string folder;  // absolute
  std::string name;    // of its key
  SecretReference passphrase;
  // Where it serves; without it, it cosigns carried files only.
  std::optional<service::Address> listen;
  service::Credentials tls;

  [[nodiscard]] std::string config_folder() const { return folder + "/etc"; }
  [[nodiscard]] std::string state_folder() const { return folder + "/state"; }
};

[[nodiscard]] service::Start<WitnessSettings> read_witness_settings(const std::string& folder);
// The key of the witness; takes about 150 ms.
[[nodiscard]] service::Start<crypto::Ed25519Signer> read_witness_key(
    const WitnessSettings& settings);

struct NewWitness {
  std::string name;
  std::string listen;  // empty, or with a certificate and its key
  std::string certificate;
  std::string key;
};

// Makes `folder`, which must not exist (0700), with a new key, and gives the key's vkey. After an
// error nothing of it is left.
[[nodiscard]] service::Start<std::string> make_witness_folder(const std::string& folder,
                                                              const NewWitness& options);

}  // namespace strongroom::tool

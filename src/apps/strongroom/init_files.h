// The files that `strongroom init` writes itself; everything else is the daemons' own.
#pragma once

#include <string>
#include <vector>

#include "apps/strongroom/init_plan.h"
#include "base/result.h"
#include "service/unrecorded.h"

namespace strongroom::tool {

// Folders of DIR, all 0700: etc, tls/ca, tls/<daemon>, public, secrets, hsm/tokens, data/<daemon>,
// audit, run, run/auditd, log. Sandboxes let a daemon read its own folders alone.
[[nodiscard]] Result<void> write_folders(const std::string& directory);
// What the two below make, for the audit log: each key with its certificate, each secret.
[[nodiscard]] std::vector<service::Object> keys_to_make(const InitPlan& plan);
// tls/ca/ca.crt, with its key in secrets/ca.key; tls/<daemon>/<daemon>.crt and .key (30 days) of
// each daemon on the network, with its SPIFFE URI, localhost and 127.0.0.1; tls/edged/public.crt
// and .key, shown to clients; in the demo profile tls/loadgen.crt and .key, the identity of tests.
[[nodiscard]] Result<void> write_certificates(const InitPlan& plan);
// secrets/: passphrases, and PINs for a token that is made, 160 random bits each, 0600.
[[nodiscard]] Result<void> write_secrets(const InitPlan& plan);
// etc/strongroom.toml, and hsm/softhsm2.conf for SoftHSM.
[[nodiscard]] Result<void> write_configuration(const InitPlan& plan);

}  // namespace strongroom::tool

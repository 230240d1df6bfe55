// The key `ticket`: an Ed25519 seed in a sealed file, its public half in the ticket key file that
// every verifier reads.
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "http/ticket.h"

namespace strongroom::connected::auth {

struct TicketKeyFiles {
  std::string sealed_path;  // docs/formats/sealed-file.md, purpose "ticket"
  std::string public_path;  // lines "kid base64-public-key"; readable by all, mode 0644
};

// Makes what is missing of the two files; what exists stays as it is, so an interrupted run is
// repeated safely. The key's name (`kid`) is derived from the public key. Durable on return.
// permission_denied: the passphrase does not open an existing file.
[[nodiscard]] Result<void> make_ticket_key(const TicketKeyFiles& files,
                                           const SecretBytes& passphrase, crypto::Random& random);

// The signer of the sealed file. not_found; permission_denied: wrong passphrase, or the file was
// changed. Takes some 150 ms: PBKDF2.
[[nodiscard]] Result<http::TicketSigner> load_ticket_signer(const std::string& sealed_path,
                                                            const SecretBytes& passphrase);

}  // namespace strongroom::connected::auth

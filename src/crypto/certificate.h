// The service CA and its certificates, as `strongroom init` makes them: ECDSA P-256 (FIPS 186-5),
// X.509 v3 (RFC 5280), identity as a SPIFFE URI. Verifying a peer's chain is TLS's part, not this
// file's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/random.h"

namespace strongroom::crypto {

inline constexpr int kAuthorityDays = 730;
inline constexpr int kLeafDays = 30;

// A certificate and its private key, both PEM: X.509 and unencrypted PKCS#8.
struct IssuedCertificate {
  std::string certificate_pem;
  SecretBytes key_pem;
};

struct CertificateRequest {
  std::string common_name{};                // 1 to 64 characters of printable ASCII
  std::string spiffe_uri{};                 // spiffe://<trust-domain>/<instance>, or empty
  std::vector<std::string> dns_names{};     // letters, digits, hyphens and dots
  std::vector<std::string> ip_addresses{};  // IPv4 or IPv6 text
  int days = kLeafDays;
  bool server = false;  // may answer TLS connections
  bool client = false;  // may make them
};

// A self-signed CA that signs leaves only (pathlen 0), valid from five minutes ago, so that a host
// whose clock is late takes it, for `days`. The key comes from OpenSSL's own generator, the serial
// number from `random`. invalid_argument: the name or `days` (1 to 3650); exhausted.
[[nodiscard]] Result<IssuedCertificate> make_certificate_authority(std::string_view common_name,
                                                                   Random& random,
                                                                   const Clock& clock,
                                                                   int days = kAuthorityDays);

// A leaf under `authority` with a new key. invalid_argument: a field of `request` (it needs a use
// and at least one of URI, DNS name or address), or `authority` is no CA with its key; conflict: it
// would outlive `authority`; exhausted.
[[nodiscard]] Result<IssuedCertificate> issue_certificate(const IssuedCertificate& authority,
                                                          const CertificateRequest& request,
                                                          Random& random, const Clock& clock);

// The leaf in `pem` again with a new key and serial number, valid from now for as many days;
// everything else stays as it was. invalid_argument: not exactly one certificate in PEM, one that
// `authority` has not signed or that is a CA's, or `authority` is no CA with its key; conflict: it
// would outlive `authority`; exhausted.
[[nodiscard]] Result<IssuedCertificate> renew_certificate(const IssuedCertificate& authority,
                                                          std::string_view pem, Random& random,
                                                          const Clock& clock);

// Whether the CA in `authority_pem` signed the certificate in `pem`; false also where either is not
// exactly one certificate.
[[nodiscard]] bool is_signed_by(std::string_view pem, std::string_view authority_pem);

// What an inventory says of a certificate.
struct CertificateDescription {
  std::string subject;             // RFC 4514 text
  std::string spiffe;              // empty unless its one URI is a SPIFFE one
  std::int64_t not_before_us = 0;  // first moment of validity
  std::int64_t not_after_us = 0;   // last moment of validity
  std::string serial;              // lower-case hex
  std::string key_type = {};       // of its public key, as OpenSSL names it: "EC", "RSA"
  int key_bits = 0;
  int strength_bits = 0;  // NIST SP 800-57 part 1, table 2
};

// Describes the one certificate in `pem`. invalid_argument: not exactly one certificate in PEM.
[[nodiscard]] Result<CertificateDescription> describe_certificate(std::string_view pem);

// Whether the private key in `key_pem` is that of the certificate in `pem`; false also where either
// does not parse.
[[nodiscard]] bool is_pair(std::string_view pem, const SecretBytes& key_pem);

}  // namespace strongroom::crypto

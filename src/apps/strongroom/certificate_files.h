// The certificates that stand below DIR/tls beside their keys, and how one pair takes another's
// place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/strongroom/backup_folder.h"
#include "crypto/certificate.h"

namespace strongroom::tool {

// One pair of files: `stem`.crt and `stem`.key.
struct CertificateFile {
  std::string stem;  // below DIR: "tls/edged/edged"
  std::string pem;   // of the certificate
  crypto::CertificateDescription about;
  bool ours = false;  // the deployment's CA signed it

  [[nodiscard]] std::string certificate() const { return stem + ".crt"; }
  [[nodiscard]] std::string key() const { return stem + ".key"; }
  // Less than a third of its time is left.
  [[nodiscard]] bool is_due(std::int64_t now_us) const {
    return (about.not_after_us - now_us) * 3 < about.not_after_us - about.not_before_us;
  }
};

// All of them, by stem. Refused by its path: what cannot be read, or is no certificate.
[[nodiscard]] Done<std::vector<CertificateFile>> find_certificates(const std::string& directory,
                                                                   std::string_view ca_pem);

// Puts `issued` in the place of `file`, with the owners and rights of what was there: both files
// are written and durable before the first is renamed. Who is killed between the two renames leaves
// a key that is not the certificate's, which finish_replacement() mends.
[[nodiscard]] Done<void> replace_certificate(const std::string& directory,
                                             const CertificateFile& file,
                                             const crypto::IssuedCertificate& issued);
// Ends what a replacement that was killed has begun at `stem`: its certificate comes to the key
// that stands there already, or what it wrote is removed.
[[nodiscard]] Done<void> finish_replacement(const std::string& directory, const std::string& stem);

}  // namespace strongroom::tool

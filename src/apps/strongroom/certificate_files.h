// The certificates that the configuration names, with their keys, and how one pair takes another's
// place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/backup_folder.h"
#include "base/config.h"
#include "base/secret.h"
#include "crypto/certificate.h"

namespace strongroom::tool {

// One pair of files, as a section of the configuration names it.
struct CertificateFile {
  std::string instance;  // whose: "connectord-stripe"
  std::string name;      // "vaultd", or "edged/public": what edged shows to clients
  std::string certificate_path;
  std::string key_path;
  std::string identity;  // the SPIFFE URI that it must have; empty: none

  std::string pem{};  // of the certificate; of the first one where more stand in the file
  std::optional<crypto::CertificateDescription>
      about{};  // empty: cannot be read, as `trouble` says
  std::string trouble{};
  bool ours = false;   // the deployment's CA signed it, for that identity
  bool paired = true;  // the key is the certificate's; false where a renewal was killed

  // Less than a third of its time is left, or it has another's key.
  [[nodiscard]] bool is_due(std::int64_t now_us) const {
    return ours && (!paired || (about->not_after_us - now_us) * 3 <
                                   about->not_after_us - about->not_before_us);
  }
};

// All of them, in the order of the sections. What is wrong with one is in it.
[[nodiscard]] std::vector<CertificateFile> find_certificates(const ConfigFile& config,
                                                             std::string_view ca_pem);

// The owner of the folder that `path` is in.
[[nodiscard]] std::uint32_t folder_owner(const std::string& path);

// A secret file, read with the rights of its folder's owner.
[[nodiscard]] Result<SecretBytes> read_owned_key(const std::string& path);

// Nobody else has this lock of the file at `path` while it is held; the file stays as it is.
class KeyFileLock {
 public:
  explicit KeyFileLock(const std::string& path);
  KeyFileLock(KeyFileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  KeyFileLock& operator=(KeyFileLock&&) = delete;
  ~KeyFileLock();
  [[nodiscard]] bool held() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Puts `issued` in the place of `file`: both files are written and durable before the first is
// renamed. It has the rights of the folders' owners meanwhile, also as root, so that whoever owns
// one can lead it to nothing that is not his. Who is killed between the two renames leaves a key
// that is not the certificate's: the pair is due then.
[[nodiscard]] Done<void> replace_certificate(const CertificateFile& file,
                                             const crypto::IssuedCertificate& issued);

}  // namespace strongroom::tool

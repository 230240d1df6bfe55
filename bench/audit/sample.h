// What both programs measure with: entries as vaultd writes them, a key, and folders.
#pragma once

#include <string>

#include "audit/entry.h"
#include "audit/files.h"
#include "base/clock.h"
#include "crypto/random.h"
#include "crypto/signer.h"

namespace strongroom::bench {

inline const SystemClock kClock;

// The instance that writes the entries, and the name of the log that they belong to.
inline constexpr std::string_view kWriter = "vaultd";
inline constexpr std::string_view kMerchant = "mer_01jd7v0c8n2x5h3q";
inline constexpr std::string_view kTrustDomain = "bench.example";
inline constexpr std::string_view kAuditd = "auditd";

[[nodiscard]] crypto::Random& randomness();
// Of a new token; about 800 bytes as JSON.
[[nodiscard]] audit::Entry new_entry(audit::Phase phase = audit::Phase::single);
// The same key each time.
[[nodiscard]] crypto::Ed25519Signer signer();
// A name of today's shard of `owner`.
[[nodiscard]] std::string log_of_today(std::string_view owner);

// A fresh folder within another that is removed again with all that is in it.
class Folder {
 public:
  explicit Folder(const std::string& within);
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace strongroom::bench

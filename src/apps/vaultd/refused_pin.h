// RefusedPin: whether the HSM has refused this PIN at a start before. A service manager starts
// again what has ended, and tokens lock after a few wrong PINs; so only a changed PIN is tried
// again. It is noted before the try: a start that is cut short may have been refused.
#pragma once

#include <string>

#include "base/config.h"
#include "base/result.h"

namespace strongroom::vaultd {

// Never the PIN is remembered, nor a hash of it: which token, and the file that it stood in, by
// inode, time and size. A PIN in an environment variable (demo profile) is not told from another.
class RefusedPin {
 public:
  // What is remembered stands in the file `path`.
  RefusedPin(std::string path, const std::string& token, const SecretReference& pin);

  // permission_denied: it is noted, and its file is as it was then.
  [[nodiscard]] Result<void> check() const;
  // It is tried now. Where that cannot be written it is logged: the next start tries again.
  void note() const;
  // It was not refused.
  void forget() const;

 private:
  std::string path_;
  std::string mark_;  // empty: it cannot be told from another
};

}  // namespace strongroom::vaultd

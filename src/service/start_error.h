// StartError: why a daemon or a tool did not start, as one plain line for the operator.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"

namespace strongroom::service {

class StartError {
 public:
  // "HSM token: PIN is wrong (0xa0)": what was being opened, and the error. `where` is a literal,
  // or a path or address out of the configuration; never a secret.
  StartError(std::string_view where, const Error& error);
  // "strongroom.toml:12:5: [vaultd] unknown key 'foo'".
  StartError(const ConfigError& error);  // NOLINT(google-explicit-constructor): both are one thing

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

template <class T>
using Start = std::expected<T, StartError>;

inline std::unexpected<StartError> start_failure(std::string_view where, const Error& error) {
  return std::unexpected<StartError>(std::in_place, where, error);
}

// The passphrase that opens a daemon's sealed file, or the failure, which names the file or the
// variable that it should be in. `section` is the deployment's.
[[nodiscard]] Start<SecretBytes> read_passphrase(std::string_view section,
                                                 const SecretReference& reference);

}  // namespace strongroom::service

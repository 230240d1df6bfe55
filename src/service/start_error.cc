// The one line that says why a process did not start.
#include "service/start_error.h"

#include <fmt/core.h>

#include <utility>

namespace strongroom::service {

StartError::StartError(std::string_view where, const Error& error)
    : text_(error.detail() == 0
                ? fmt::format("{}: {}", where, error.what())
                : fmt::format("{}: {} ({:#x})", where, error.what(), error.detail())) {}

StartError::StartError(const ConfigError& error) : text_(error.text()) {}

Start<SecretBytes> read_passphrase(std::string_view section, const SecretReference& reference) {
  auto passphrase = resolve_secret(reference);
  if (passphrase) return *std::move(passphrase);
  return start_failure(fmt::format("[{}] passphrase: {}", section, text_of(reference)),
                       passphrase.error());
}

}  // namespace strongroom::service

// The database of a daemon as its configuration names it, and what of it the sandbox must allow.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "service/deployment.h"
#include "service/start_error.h"

namespace strongroom::service {

struct DatabaseUrl {
  std::string text;                  // for storage::Options
  std::string sqlite_folder;         // of SQLite's file, to be written; else empty
  std::vector<std::uint16_t> ports;  // of PostgreSQL over TCP; else empty
  // How long a statement may still commit when its connection is lost or its process killed.
  // PostgreSQL works on without a client, for as long as it is let run a statement
  // (storage::Options); SQLite ends with its process.
  std::chrono::seconds commit_lag_max{};
  std::vector<std::string> files;  // that libpq reads on every connect: sslrootcert, sslkey, ...
};

// The URL at `key`: "sqlite:PATH", where a relative path starts at DIR, or a libpq URI
// ("postgresql://..."). A password in it is refused, as secrets are in all of the configuration: a
// passfile or a client certificate stands for it.
[[nodiscard]] DatabaseUrl database_url(const Deployment& deployment, ConfigSection& section,
                                       std::string_view key);

// That SQLite's folder is there; the sandbox could not say which path it missed.
[[nodiscard]] Start<void> require_folder(const DatabaseUrl& url);

}  // namespace strongroom::service

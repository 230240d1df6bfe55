// What a libpq connection is told before it connects: the URL's own settings, and those that make
// the contract of Database hold whatever the URL, the environment or the server's configuration
// say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/database.h"

namespace strongroom::storage {

enum class PostgresAccess : std::uint8_t { write, read };

// Keyword and value, as PQconnectStartParams takes them.
using PostgresSettings = std::map<std::string, std::string>;

// Of each server that the URL names, in its order: libpq, given them all, would wait for one that
// is silent for as long as it is given for all. invalid_argument: the URL is not understood, names
// no host, or other numbers of hosts, addresses and ports, takes its settings from a service file,
// or goes over TCP without sslmode=verify-full.
[[nodiscard]] Result<std::vector<PostgresSettings>> postgres_settings(const Options& options,
                                                                      PostgresAccess access);

}  // namespace strongroom::storage

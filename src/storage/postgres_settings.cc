// Reading the URL with libpq's own parser.
#include "storage/postgres_settings.h"

#include <fmt/core.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/try.h"

namespace strongroom::storage {
namespace {

Result<PostgresSettings> parse(const std::string& url) {
  char* refusal = nullptr;  // quotes the URL, which may hold a password: not for logs
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), &refusal), &PQconninfoFree);
  PQfreemem(refusal);
  if (!options) return fail({ErrorCode::invalid_argument, "database URL is not understood"});
  PostgresSettings settings;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings.emplace(option->keyword, option->val);
  }
  return settings;
}

std::vector<std::string> pieces(std::string_view list) {
  std::vector<std::string> found;
  for (;;) {
    const std::size_t comma = list.find(',');
    found.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return found;
    list.remove_prefix(comma + 1);
  }
}

// Settings of one server each, from those whose lists name several; as libpq, one port goes for
// all.
Result<std::vector<PostgresSettings>> of_each_server(const PostgresSettings& settings) {
  constexpr std::array kLists{"host", "hostaddr", "port"};
  std::vector<PostgresSettings> servers(pieces(settings.at("host")).size(), settings);
  for (const char* const list : kLists) {
    const auto found = settings.find(list);
    if (found == settings.end()) continue;
    const std::vector<std::string> values = pieces(found->second);
    const bool for_all = values.size() == 1 && std::string_view(list) == "port";
    if (!for_all && values.size() != servers.size()) {
      return fail({ErrorCode::invalid_argument,
                   "database URL names other numbers of hosts, addresses and ports"});
    }
    for (std::size_t i = 0; i < servers.size(); ++i) {
      servers[i][list] = values[for_all ? 0 : i];
    }
  }
  return servers;
}

// A Unix socket needs no TLS: there the kernel vouches.
bool uses_tcp(const PostgresSettings& server) {
  return server.contains("hostaddr") || !server.at("host").starts_with('/');
}

// What holds whatever the URL says.
void enforce(PostgresSettings& settings, const Options& options, PostgresAccess access) {
  // Also for Unix sockets, which ignore it: PGHOSTADDR could turn one into TCP. GSS encryption
  // would go before TLS, and a standby could answer from the past.
  settings["sslmode"] = "verify-full";
  settings["ssl_min_protocol_version"] = "TLSv1.3";
  settings["gssencmode"] = "disable";
  settings["target_session_attrs"] = "primary";
  settings["client_encoding"] = "UTF8";
  settings["fallback_application_name"] = "strongroom";
  // One plan per statement, made when it is first needed; no compiling it, which costs more than
  // any of ours. It may have been made while a table was small: never one that reads all of it
  // where an index leads to the row, nor one that starts processes to help.
  const auto timeout_ms = options.statement_timeout.count();
  settings["options"] += fmt::format(
      " -c statement_timeout={} -c idle_in_transaction_session_timeout={} -c synchronous_commit=on"
      " -c default_transaction_read_only={} -c client_min_messages=error -c enable_seqscan=off"
      " -c plan_cache_mode=force_generic_plan -c jit=off -c max_parallel_workers_per_gather=0",
      timeout_ms, 2 * timeout_ms, access == PostgresAccess::read ? "on" : "off");
}

}  // namespace

Result<std::vector<PostgresSettings>> postgres_settings(const Options& options,
                                                        PostgresAccess access) {
  SR_TRY(PostgresSettings settings, parse(options.url));
  if (settings.contains("service")) {
    return fail({ErrorCode::invalid_argument, "database URL may not name a service"});
  }
  if (!settings.contains("host")) {
    return fail({ErrorCode::invalid_argument, "database URL names no host"});
  }
  SR_TRY(std::vector<PostgresSettings> servers, of_each_server(settings));
  if (settings["sslmode"] != "verify-full" && std::ranges::any_of(servers, &uses_tcp)) {
    return fail(
        {ErrorCode::invalid_argument, "TLS required: database URL lacks sslmode=verify-full"});
  }
  for (PostgresSettings& server : servers) enforce(server, options, access);
  return servers;
}

}  // namespace strongroom::storage

// Reading the URL with libpq's own parser.
#include "storage/postgres_settings.h"

#include <fmt/core.h>
#include <libpq-fe.h>

#include <memory>
#include <ranges>

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

// Also when one of several hosts is no Unix socket, which needs no TLS: there the kernel vouches.
bool uses_tcp(const PostgresSettings& settings) {
  if (settings.contains("hostaddr")) return true;
  for (const auto host : std::views::split(settings.at("host"), ',')) {
    if (host.empty() || *host.begin() != '/') return true;
  }
  return false;
}

}  // namespace

Result<PostgresSettings> postgres_settings(const Options& options, PostgresAccess access) {
  SR_TRY(PostgresSettings settings, parse(options.url));
  if (settings.contains("service")) {
    return fail({ErrorCode::invalid_argument, "database URL may not name a service"});
  }
  if (!settings.contains("host")) {
    return fail({ErrorCode::invalid_argument, "database URL names no host"});
  }
  if (uses_tcp(settings) && settings["sslmode"] != "verify-full") {
    return fail(
        {ErrorCode::invalid_argument, "TLS required: database URL lacks sslmode=verify-full"});
  }
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
  // where an index leads to the row.
  const auto timeout_ms = options.statement_timeout.count();
  settings["options"] += fmt::format(
      " -c statement_timeout={} -c idle_in_transaction_session_timeout={} -c synchronous_commit=on"
      " -c default_transaction_read_only={} -c client_min_messages=error -c enable_seqscan=off"
      " -c plan_cache_mode=force_generic_plan -c jit=off",
      timeout_ms, 2 * timeout_ms, access == PostgresAccess::read ? "on" : "off");
  return settings;
}

}  // namespace strongroom::storage

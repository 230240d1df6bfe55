// The command line, by CLI11.
#include "apps/psp_sim/settings.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string_view>

#include "service/version.h"

namespace strongroom::psp_sim {
namespace {

constexpr std::int64_t kSearchDelayMaxMs = 600'000;

constexpr std::string_view kHelp = R"(NAME
    psp-sim - a processor's sandbox on this machine, for tests and demos

SYNOPSIS
    psp-sim --certificate FILE --key FILE [--listen ADDRESS:PORT] [--search-delay-ms N]
    psp-sim --help | --version

DESCRIPTION
    Plays Stripe's sandbox over HTTPS: any key that begins with sk_test_, the documented test cards,
    and every unlisted card number of their ranges. What it knows is in memory and gone with the
    process. Prints one line when it serves: "psp-sim: https://ADDRESS:PORT".

OPTIONS
    --certificate FILE     the server's certificate, PEM, leaf first
    --key FILE             its private key, PEM
    --listen ADDRESS:PORT  where to serve; 127.0.0.1:12111 by default: this machine alone
    --search-delay-ms N    how long search takes to find a change; 0 by default
    --version              print the version
    --help                 print this text

CONTROL
    POST /_sim/faults      {"path","kind","when"?,"count"?,"delay_ms"?,"decline_code"?}
                           kind: timeout, reset, 500, 503, garbage, huge, slow, other_id, decline
                           when: before_effect, or after_effect (the default)
                           path: of the requests to meet; '*' is any one segment
    DELETE /_sim/faults    forget them
    GET /_sim/requests     how many requests came, by method and route
    GET /_sim/charges      what really happened at the processor

SIGNALS
    SIGTERM, SIGINT        finish what is under way, exit

EXIT STATUS
    0    stopped cleanly
    2    did not start: usage, certificate, port in use; the reason is the last line on stderr
)";

int usage_error(std::string_view reason) {
  fmt::print(stderr, "psp-sim: {} (see psp-sim --help)\n", reason);
  return 2;
}

}  // namespace

std::variant<Settings, int> parse_settings(int argc, const char* const* argv) {
  Settings settings;
  std::int64_t search_delay_ms = 0;
  bool help = false;
  bool version = false;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("--help", help);
  app.add_flag("--version", version);
  app.add_option("--certificate", settings.certificate_path);
  app.add_option("--key", settings.key_path);
  app.add_option("--listen", settings.listen);
  app.add_option("--search-delay-ms", search_delay_ms);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  if (help) {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (version) {
    fmt::print("psp-sim {}\n", service::kVersion);
    return 0;
  }
  if (settings.certificate_path.empty() || settings.key_path.empty()) {
    return usage_error("--certificate and --key are required");
  }
  if (search_delay_ms < 0 || search_delay_ms > kSearchDelayMaxMs) {
    return usage_error("--search-delay-ms must be from 0 to 600000");
  }
  settings.search_delay = std::chrono::milliseconds(search_delay_ms);
  return settings;
}

}  // namespace strongroom::psp_sim

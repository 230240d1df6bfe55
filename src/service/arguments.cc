// The daemons' command line, by CLI11.
#include "service/arguments.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "service/version.h"

namespace strongroom::service {
namespace {

constexpr std::string_view kHelp = R"(NAME
    {name} - {purpose}

SYNOPSIS
    {name} --config FILE [--instance NAME] [--init | --migrate | --dump | --load |
        --check-sandbox]
    {name} --help | --version

DESCRIPTION
    Runs {name} in the foreground with the section of its instance in FILE. The folder of FILE is
    the deployment's folder DIR. Logs are JSON lines on standard error. Health, readiness, metrics
    and commands are on the Unix socket DIR/run/<instance>.admin.sock.

OPTIONS
    --config FILE      the deployment's configuration, DIR/etc/strongroom.toml
    --instance NAME    which instance this is: {name} or {name}-<suffix>; {name} by default
    --init             make this daemon's keys and its database, then exit
    --migrate          bring its database to this version's schema, then exit
    --dump             write its database as it is at this moment to standard output, also while the
                       daemon runs, then exit; auditd must run, and records who did it
    --load             fill its empty database from a dump on standard input and bring it to this
                       version's schema, or leave it empty, then exit
    --check-sandbox    try from inside the sandbox what must be denied, print the results as JSON,
                       then exit: 0 when everything was denied, else 1
    --version          print the version
    --help             print this text

SIGNALS
    SIGTERM, SIGINT    stop taking requests, finish those under way, exit
    SIGHUP             read certificates, tables and the log level again

EXIT STATUS
    0    stopped cleanly, or the work asked for is done
    1    --check-sandbox found something that was not denied
    2    did not start: usage, configuration, PIN, module, port in use, schema; the reason is the
         last line on standard error
    3    was cut off: what was under way did not end within ten seconds of SIGTERM
)";

bool belongs_to(std::string_view instance, std::string_view name) {
  if (instance == name) return true;
  return instance.size() > name.size() + 1 && instance.starts_with(name) &&
         instance[name.size()] == '-' &&
         instance.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
             std::string_view::npos;
}

int usage_error(std::string_view name, std::string_view reason) {
  fmt::print(stderr, "{}: {} (see {} --help)\n", name, reason, name);
  return 2;
}

}  // namespace

std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv,
                                             std::string_view name, std::string_view purpose) {
  Arguments arguments{.config_path = {}, .instance = std::string(name), .action = Action::serve};
  bool help = false, version = false, init = false, migrate = false, check = false, dump = false,
       load = false;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("--help", help);
  app.add_flag("--version", version);
  app.add_option("--config", arguments.config_path);
  app.add_option("--instance", arguments.instance);
  app.add_flag("--init", init);
  app.add_flag("--migrate", migrate);
  app.add_flag("--dump", dump);
  app.add_flag("--load", load);
  app.add_flag("--check-sandbox", check);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(name, error.what());
  }
  if (help) {
    fmt::print(fmt::runtime(kHelp), fmt::arg("name", name), fmt::arg("purpose", purpose));
    return 0;
  }
  if (version) {
    fmt::print("{} {}\n", name, kVersion);
    return 0;
  }
  if (init + migrate + dump + load + check > 1)
    return usage_error(name, "more than one thing to do");
  if (arguments.config_path.empty()) return usage_error(name, "--config is required");
  if (!belongs_to(arguments.instance, name)) {
    return usage_error(name, "--instance is not of this program");
  }
  if (init) arguments.action = Action::init;
  if (migrate) arguments.action = Action::migrate;
  if (dump) arguments.action = Action::dump;
  if (load) arguments.action = Action::load;
  if (check) arguments.action = Action::check_sandbox;
  return arguments;
}

}  // namespace strongroom::service

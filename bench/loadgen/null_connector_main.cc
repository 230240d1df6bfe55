// null_connector: serves until it is ended. For ./dev bench vault.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "async/loop.h"
#include "base/try.h"
#include "http/server.h"
#include "loadgen/deployment.h"
#include "loadgen/null_connector.h"

namespace {

using namespace strongroom;

constexpr const char* kHelp = R"(NAME
    null_connector - a connector that takes cards and drops them, for ./dev bench vault

SYNOPSIS
    null_connector --port N --ca FILE --certificate FILE --key FILE

OPTIONS
    --port N            where to listen on 127.0.0.1
    --ca FILE           who signs the services' certificates
    --certificate FILE  its own, of the identity connectord-null
    --key FILE          the key to it
    --help              print this text
)";

struct Options {
  std::uint16_t port = 0;
  std::string ca;
  bench::IdentityFiles own;
};

Result<void> serve(const Options& options) {
  SR_TRY(const http::TlsOptions tls, bench::read_identity(options.own, options.ca));
  SR_TRY(auto context, http::TlsContext::server(tls));
  async::Loop loop;
  http::Router router;
  bench::add_null_connector(router);
  SR_TRY(const auto server,
         http::Server::listen_tcp(loop, {.address = "127.0.0.1", .port = options.port},
                                  std::move(context), router, {}));
  loop.run();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool help = false;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("--help", help);
  app.add_option("--port", options.port);
  app.add_option("--ca", options.ca);
  app.add_option("--certificate", options.own.certificate);
  app.add_option("--key", options.own.key);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "null_connector: {} (see --help)\n", error.what());
    return 2;
  }
  if (help) {
    fmt::print("{}", kHelp);
    return 0;
  }
  const Result<void> served = serve(options);
  if (served) return 0;
  fmt::print(stderr, "null_connector: {} ({}, {})\n", served.error().what(),
             to_string(served.error().code()), served.error().detail());
  return 2;
}

// audit_load: one measurement of the audit log, as one line of JSON. For ./dev bench audit.
#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "audit/runs.h"

namespace strongroom::bench {
namespace {

constexpr const char* kHelp = R"(NAME
    audit_load - measures one thing about the audit log

SYNOPSIS
    audit_load DIR plain|journal [--group N] [--seconds S]
    audit_load DIR socket [--writers N | --rate R] [--connections N] [--seconds S]
    audit_load DIR make --entries N
    audit_load DIR start | prove [--count N] | verify

DESCRIPTION
    Writes what it needs below the folder DIR, and one JSON object to standard output. plain:
    a loop of write and fdatasync; journal: the journal alone; socket: all of auditd, in this
    process. make leaves a log in DIR, which must be empty, for the last three.

OPTIONS
    --group N        entries of one fdatasync (default 1)
    --writers N      who each wait for their entry before they have another (default 64)
    --connections N  that they share (default 2)
    --rate R         open model: R operations per second, an intent and an outcome each
    --seconds S      length of the measurement (default 3)
    --entries N      of the log
    --count N        proofs (default 1000)
    --help           print this text
)";

struct Options {
  std::string folder;
  std::size_t group = 1;
  double seconds = 3;
  std::uint64_t entries = 0;
  std::uint64_t count = 1000;
  SocketLoad load;
};

void print(const Figures& figures) {
  std::string line;
  for (const auto& [name, value] : figures) {
    line += fmt::format("{}\"{}\": {:.3f}", line.empty() ? "" : ", ", name, value);
  }
  fmt::print("{{{}}}\n", line);
}

int run(int argc, const char* const* argv) {
  Options options;
  CLI::App app;
  app.set_help_flag();
  app.require_subcommand(1);
  app.add_option("DIR", options.folder)->required()->check(CLI::ExistingDirectory);
  const auto command = [&](const char* name, auto measure) {
    CLI::App* sub = app.add_subcommand(name);
    sub->set_help_flag();
    sub->final_callback([measure] { print(measure()); });
    return sub;
  };
  const auto length = [&] { return std::chrono::duration<double>(options.seconds); };
  auto* plain =
      command("plain", [&] { return run_plain(options.folder, options.group, length()); });
  auto* journal =
      command("journal", [&] { return run_journal(options.folder, options.group, length()); });
  auto* socket = command("socket", [&] {
    options.load.length = length();
    return run_socket(options.folder, options.load);
  });
  auto* make = command("make", [&] { return make_log(options.folder, options.entries); });
  command("start", [&] { return run_start(options.folder); });
  auto* prove = command("prove", [&] { return run_prove(options.folder, options.count); });
  command("verify", [&] { return run_verify(options.folder); });
  for (CLI::App* sub : {plain, journal}) {
    sub->add_option("--group", options.group)->check(CLI::PositiveNumber);
  }
  for (CLI::App* sub : {plain, journal, socket}) {
    sub->add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  }
  socket->add_option("--writers", options.load.writers)->check(CLI::PositiveNumber);
  socket->add_option("--connections", options.load.connections)->check(CLI::PositiveNumber);
  socket->add_option("--rate", options.load.rate)->check(CLI::PositiveNumber);
  make->add_option("--entries", options.entries)->required()->check(CLI::PositiveNumber);
  prove->add_option("--count", options.count)->check(CLI::PositiveNumber);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "audit_load: {} (see audit_load --help)\n", error.what());
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace strongroom::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    fmt::print("{}", strongroom::bench::kHelp);
    return 0;
  }
  return strongroom::bench::run(argc, argv);
}

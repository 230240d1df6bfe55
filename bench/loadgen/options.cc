#include "loadgen/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <map>

namespace strongroom::bench {
namespace {

constexpr const char* kHelp = R"(NAME
    loadgen - tokenizes test cards, resolves or pays with them, as fast as told, and says how long
    each took

SYNOPSIS
    loadgen --state FILE [OPTION...]

DESCRIPTION
    Loads the deployment whose sandbox.json is FILE, demo profile only, with cards of a test range.
    Without --rate each connection sends its next request when it has its answer (closed model);
    with it requests are due on a fixed schedule and their latency counts from then (open model).

OPTIONS
    --state FILE         the deployment's sandbox.json
    --target vault|edge|processor
                         vaultd itself (default), through edged, or psp-sim
    --mix new|duplicate|lookup|sale|resolve|hand-over|mixed
                         cards for the first time (default), cards that are there, GET of tokens;
                         sales with tokens that have paid before (at edge and processor);
                         at the vault, as gatewayd: processor tokens that the vault keeps, those
                         for which it hands the card to the connector `null`, or four of the former
                         to one new card
    --gateway-cert FILE, --gateway-key FILE
                         gatewayd's certificate and key, for the last three mixes
    --connections N      kept connections, of all threads together (default 64)
    --rate R             open model: R requests per second
    --seconds S          length of the measurement (default 5)
    --warmup S           load before it, not measured (default 1)
    --threads N          default 1
    --first N            index of the first test card; the report says where to go on (default 0)
    --pool N             cards made beforehand for all but new cards (default 1000)
    --json               {"event":"begin"}, {"event":"end"} and the result, a line each
    --help               print this text

EXIT STATUS
    0    measured; failed requests are in the report
    1    could not begin: no ticket, or no answer
    2    usage, or a deployment that cannot be read
)";

int usage_error(std::string_view reason) {
  fmt::print(stderr, "loadgen: {} (see loadgen --help)\n", reason);
  return 2;
}

std::chrono::milliseconds from_seconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

const std::map<std::string, Target> kTargets{
    {"vault", Target::vault}, {"edge", Target::edge}, {"processor", Target::processor}};
const std::map<std::string, Mix> kMixes{
    {"new", Mix::new_cards},           {"duplicate", Mix::duplicates},
    {"lookup", Mix::lookups},          {"sale", Mix::sales},
    {"resolve", Mix::resolves},        {"hand-over", Mix::handovers},
    {"mixed", Mix::payments_and_cards}};

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  LoadPlan& plan = options.plan;
  bool help = false;
  std::string target = "vault";
  std::string mix = "new";
  double seconds = 5;
  double warmup = 1;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("--help", help);
  app.add_flag("--json", options.json);
  app.add_option("--state", options.state_path);
  app.add_option("--target", target)->check(CLI::IsMember(kTargets));
  app.add_option("--mix", mix)->check(CLI::IsMember(kMixes));
  app.add_option("--gateway-cert", options.gateway.certificate);
  app.add_option("--gateway-key", options.gateway.key);
  app.add_option("--connections", plan.connections)->check(CLI::Range(1, 4096));
  app.add_option("--rate", plan.rate)->check(CLI::Range(1.0, 1e6));
  app.add_option("--seconds", seconds)->check(CLI::Range(0.1, 86'400.0));
  app.add_option("--warmup", warmup)->check(CLI::Range(0.0, 3'600.0));
  app.add_option("--threads", plan.threads)->check(CLI::Range(1, 64));
  app.add_option("--first", plan.first_card);
  app.add_option("--pool", plan.pool)->check(CLI::Range(1, 1'000'000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  if (help) {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (options.state_path.empty()) return usage_error("--state is required");
  if (plan.threads > plan.connections || plan.threads > plan.pool) {
    return usage_error("each thread needs a connection and a card of the pool");
  }
  plan.target = kTargets.at(target);
  plan.mix = kMixes.at(mix);
  const bool sells = plan.mix == Mix::sales;
  if ((plan.target == Target::processor && !sells) || (plan.target == Target::vault && sells)) {
    return usage_error("the processor takes sales only, and the vault none");
  }
  const bool resolves = has_resolves(plan.mix);
  if (resolves && plan.target != Target::vault) return usage_error("the vault alone resolves");
  const bool as_gateway = !options.gateway.certificate.empty() && !options.gateway.key.empty();
  if (resolves && !as_gateway) {
    return usage_error("who resolves is gatewayd: --gateway-cert and --gateway-key say how");
  }
  plan.duration = from_seconds(seconds);
  plan.warmup = from_seconds(warmup);
  return options;
}

}  // namespace strongroom::bench

// The steps of init, in order, each said before it is done.
#include "apps/strongroom/init.h"

#include <fmt/core.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "apps/strongroom/child.h"
#include "apps/strongroom/deployment_folder.h"
#include "apps/strongroom/init_files.h"
#include "base/clock.h"
#include "base/try.h"
#include "crypto/random.h"
#include "service/unrecorded.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

using Step = std::expected<void, std::string>;  // or why it failed

Step step(std::string_view name, const Result<void>& result) {
  if (result) return {};
  return std::unexpected(fmt::format("{}: {}", name, result.error().what()));
}

// Has the daemon make what is its own.
Step run_init(const InitPlan& plan, std::string_view program, std::string_view instance) {
  auto child = Child::start({.program = std::string(program),
                             .config = plan.options.directory + "/etc/strongroom.toml",
                             .instance = std::string(instance),
                             .action = "--init"},
                            Child::Pipe::none);
  if (!child) return std::unexpected(child.error());
  return child->wait();
}

void say(std::string_view what) { fmt::print(stderr, "strongroom: {}\n", what); }

// auditd brings the entries of what has no daemon of its own to make it: it always runs.
Result<void> note_and_make(const InitPlan& plan) {
  const SystemClock clock;
  crypto::SystemRandom random;
  service::Unrecorded unrecorded(
      {.directory = plan.options.directory, .instance = "auditd", .operation = "strongroom init"},
      random, clock);
  return unrecorded.making(keys_to_make(plan), [&]() -> Result<void> {
    SR_CHECK_OK(write_certificates(plan));
    return write_secrets(plan);
  });
}

Step make(const InitPlan& plan) {
  say("folders, certificates, secrets, configuration");
  SR_CHECK_OK(step("folders", write_folders(plan.options.directory)));
  SR_CHECK_OK(step("certificates and secrets", note_and_make(plan)));
  SR_CHECK_OK(step("configuration", write_configuration(plan)));
  say("auditd: checkpoint key");
  SR_CHECK_OK(run_init(plan, "auditd", "auditd"));
  say("authd: ticket key, database");
  SR_CHECK_OK(run_init(plan, "authd", "authd"));
  say("connectord-stripe: seal key");
  SR_CHECK_OK(run_init(plan, "connectord", "connectord-stripe"));
  say("gatewayd: database");
  SR_CHECK_OK(run_init(plan, "gatewayd", "gatewayd"));
  say("vaultd: HSM token, keys, database");
  return run_init(plan, "vaultd", "vaultd");
}

// DIR was empty when we came, so whatever stands in it is ours.
void undo(const InitPlan& plan) {
  say(empty_folder(plan.options.directory));
  const InitOptions& options = plan.options;
  if (!options.auth_database.empty() || !options.core_database.empty() ||
      !options.vault_database.empty()) {
    say("tables may remain in the PostgreSQL databases that were given");
  }
  if (plan.has_token()) {
    say("keys strongroom/* may remain in the token");
  } else if (!plan.soft_hsm) {
    say("a token may remain in the HSM");
  }
}

}  // namespace

int init_deployment(const Context& context, InitOptions options) {
  std::error_code error;
  options.directory = fs::absolute(context.directory, error).lexically_normal().string();
  const auto plan = make_plan(std::move(options));
  if (!plan) return failed(kUsage, plan.error());
  if (const Step claimed = claim_folder(plan->options.directory); !claimed) {
    return failed(kUsage, claimed.error());
  }
  if (const Step made = make(*plan); !made) {
    undo(*plan);
    return failed(kUsage, made.error());
  }
  if (context.json) {
    const boost::json::object made{{"directory", plan->options.directory},
                                   {"edged", fmt::format("127.0.0.1:{}", plan->edged_port)}};
    fmt::print("{}\n", boost::json::serialize(made));
  } else {
    fmt::print("{}\n", plan->options.directory);
  }
  return kOk;
}

}  // namespace strongroom::tool

// The steps of init, in order, each said before it is done.
#include "apps/strongroom/init.h"

#include <fmt/core.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <expected>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

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

// A database server of the deployment's own may keep its data in DIR: it must run before its
// databases can be made.
constexpr std::string_view kServerFolder = "postgres";

bool is_ours(const fs::path& path) { return path.filename() != kServerFolder; }

bool holds_anything(const std::string& directory) {
  std::error_code error;
  const fs::directory_iterator entries(directory, error);
  return std::any_of(begin(entries), end(entries),
                     [](const fs::directory_entry& entry) { return is_ours(entry.path()); });
}

// DIR exists afterwards, without anything of ours, and nobody else can list or change it.
Step claim_folder(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory, error)) {
    if (!fs::is_directory(directory, error) || holds_anything(directory)) {
      return std::unexpected(fmt::format("{} exists and is not an empty folder", directory));
    }
    constexpr auto kOthersMay = fs::perms::group_read | fs::perms::group_write |
                                fs::perms::others_read | fs::perms::others_write;
    fs::permissions(directory, kOthersMay, fs::perm_options::remove, error);
  } else {
    fs::create_directories(fs::path(directory).parent_path(), error);
    if (!error && ::mkdir(directory.c_str(), S_IRWXU) != 0) {
      error = std::error_code(errno, std::generic_category());
    }
  }
  if (error) return std::unexpected(fmt::format("{}: {}", directory, error.message()));
  return {};
}

// Runs `program` for `instance` with --config DIR/etc/strongroom.toml --init; what it says goes
// where our words go.
Step run_init(const InitPlan& plan, std::string_view program, std::string_view instance) {
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path();
  const std::string path = (beside / program).string();
  std::array<std::string, 6> words{path,
                                   "--config",
                                   plan.options.directory + "/etc/strongroom.toml",
                                   "--instance",
                                   std::string(instance),
                                   "--init"};
  std::array<char*, words.size() + 1> arguments{};
  std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });
  pid_t child = 0;
  const int spawned =
      ::posix_spawn(&child, path.c_str(), nullptr, nullptr, arguments.data(), environ);
  if (spawned != 0) {
    return std::unexpected(fmt::format("{}: {}", path, std::generic_category().message(spawned)));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return std::unexpected(fmt::format("{} --init failed (its reason stands above)", program));
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
  SR_CHECK_OK(step("folders", write_folders(plan)));
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
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(plan.options.directory, error)) {
    if (is_ours(entry.path())) fs::remove_all(entry.path(), error);
  }
  say(error ? fmt::format("{} could not be emptied: {}", plan.options.directory, error.message())
            : fmt::format("{} is empty again", plan.options.directory));
  const InitOptions& options = plan.options;
  if (!options.auth_database.empty() || !options.core_database.empty() ||
      !options.vault_database.empty()) {
    say("tables may remain in the PostgreSQL databases that were given");
  }
  if (!plan.soft_hsm) say("a token may remain in the HSM");
}

}  // namespace

int init_deployment(const Context& context, InitOptions options) {
  std::error_code error;
  options.directory = fs::absolute(context.directory, error).lexically_normal().string();
  const auto plan = make_plan(std::move(options));
  if (!plan) return failed(kUsage, plan.error().what());
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

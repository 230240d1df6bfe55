// run_daemon: the order in which a process comes up. Nothing here belongs to one daemon.
#include "service/daemon.h"

#include <fmt/core.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <optional>
#include <span>
#include <variant>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pan_scan.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "service/arguments.h"
#include "service/harden.h"
#include "service/supervisor.h"
#include "service/version.h"

namespace strongroom::service {
namespace {

constexpr int kBadStart = 2;
constexpr Error kNoDatabase{ErrorCode::invalid_argument, "this daemon has no database"};
constexpr Error kKernelLeavesGaps{
    ErrorCode::permission_denied,
    "this kernel cannot enforce all of it; [deployment] accept_sandbox_gaps goes without"};

int report(std::string_view name, const StartError& error) {
  fmt::print(stderr, "{}: {}\n", name, mask_pans(error.text()));
  return kBadStart;
}

// The instance's lock, held as long as the process may write.
Start<FileLock> claim_instance(const Deployment& deployment) {
  auto lock = FileLock::acquire(deployment.lock_path());
  if (lock) return *std::move(lock);
  if (lock.error().code() == ErrorCode::conflict) {
    return start_failure(deployment.lock_path(), {ErrorCode::conflict, "already running"});
  }
  return start_failure(deployment.lock_path(), lock.error());
}

Start<void> prepare_process(const Deployment& deployment) {
  log::set_process(deployment.instance);
  log::set_level(deployment.log_level);
  const auto configured =
      configure_secret_memory({.allow_memfd_secret = deployment.allow_memfd_secret});
  if (!configured) return start_failure("secret memory", configured.error());
  return {};
}

int check_sandbox(const Service& service, const sandbox::Enforced& enforced) {
  boost::json::array results;
  bool all_denied = true;
  for (const sandbox::ProbeResult& probe : sandbox::probe_forbidden(service.probe_plan())) {
    all_denied = all_denied && probe.denied;
    results.push_back({{"name", probe.name}, {"denied", probe.denied}, {"errno", probe.error}});
  }
  const boost::json::object report{
      {"probes", std::move(results)},
      {"landlock_abi", enforced.landlock_abi},
      {"gaps", boost::json::array(enforced.gaps.begin(), enforced.gaps.end())}};
  fmt::print("{}\n", boost::json::serialize(report));
  return all_denied ? 0 : 1;
}

AdminFacts facts_of(const Deployment& deployment, const sandbox::Enforced& enforced,
                    const Hardening& hardening) {
  AdminFacts facts{.instance = deployment.instance,
                   .sandbox_gaps = {},
                   .memory = std::string(to_string(secret_memory_level())),
                   .memory_locked = hardening.memory_locked};
  for (const std::string_view gap : enforced.gaps) facts.sandbox_gaps.emplace_back(gap);
  log::info("sandboxed", {{"gaps", facts.sandbox_gaps.size()},
                          {"secret_memory", facts.memory},
                          {"memory_locked", facts.memory_locked},
                          {"openssl_wipes", hardening.openssl_wipes}});
  return facts;
}

// A production deployment says what it goes without.
Start<void> accept_gaps(const Deployment& deployment, const sandbox::Enforced& enforced) {
  const bool complete = enforced.gaps.empty();
  if (complete || deployment.profile == Profile::demo || deployment.accept_sandbox_gaps) return {};
  for (const std::string_view gap : enforced.gaps) log::error("sandbox gap", {{"gap", gap}});
  return start_failure("sandbox", kKernelLeavesGaps);
}

Start<int> try_sandbox(const Program& program, Host& host) {
  SR_TRY(const std::unique_ptr<Service> service, program.open(host));
  const auto enforced = service->enter_sandbox();
  if (!enforced) return start_failure("sandbox", enforced.error());
  return check_sandbox(*service, *enforced);
}

// The worker that listens asks again: it may have waited long for its neighbors.
Start<void> require_free_port(const Deployment& deployment, const Service& service) {
  const std::optional<Address> address = service.address();
  if (!address) return {};
  const auto free = require_free(*address);
  if (free) return {};
  return start_failure(fmt::format("[{}] listen = {}", deployment.section, text_of(*address)),
                       free.error());
}

Start<int> serve(const Program& program, Host& host, const Hardening& hardening) {
  SR_TRY(std::unique_ptr<Service> service, program.open(host));
  const auto held = host.unrecorded.hold();
  if (!held) return start_failure(host.unrecorded.path(), held.error());
  SR_CHECK_OK(require_free_port(host.deployment, *service));
  auto wakeups = Wakeups::create();
  if (!wakeups) return start_failure("signals", wakeups.error());
  const std::string admin_path = host.deployment.admin_socket_path();
  auto admin = http::UnixListener::open(admin_path);
  if (!admin) return start_failure(admin_path, admin.error());
  const auto enforced = service->enter_sandbox();
  if (!enforced) return start_failure("sandbox", enforced.error());
  SR_CHECK_OK(accept_gaps(host.deployment, *enforced));
  Supervisor supervisor(host, *service, *std::move(admin),
                        facts_of(host.deployment, *enforced, hardening), *std::move(wakeups));
  const Start<void> served = supervisor.run();
  if (supervisor.cut_off()) {
    // Its workers' threads and memory are still there: nothing else is torn down around them.
    const int status = served ? kCutOff : report(host.deployment.instance, served.error());
    service.reset();
    ::_exit(status);
  }
  SR_CHECK_OK(served);
  log::info("stopped");
  return 0;
}

Start<int> run_once(Start<void> (*work)(Host&), Host& host) {
  if (work == nullptr) return 0;
  SR_CHECK_OK(work(host));
  return 0;
}

Start<int> load(const Program& program, Host& host) {
  if (program.load == nullptr) return start_failure(host.deployment.instance, kNoDatabase);
  return run_once(program.load, host);
}

// Standard output. A reader that has gone has said why.
Result<std::size_t> put_out(std::span<const std::byte> bytes) {
  while (true) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written > 0) return static_cast<std::size_t>(written);
    if (written < 0 && errno == EINTR) continue;
    return fail(Error{ErrorCode::unavailable, "dump cannot be written"}.with_detail(
        static_cast<std::uint32_t>(errno)));
  }
}

Start<int> dump(const Program& program, Host& host) {
  if (program.dump == nullptr) return start_failure(host.deployment.instance, kNoDatabase);
  crypto::SystemRandom random;
  const Dump whole{.database = program.database,
                   .make = [&](const DumpSink& sink) { return program.dump(host, sink); },
                   .output = &put_out};
  SR_CHECK_OK(dump_recorded(host.deployment, whole, random));
  return 0;
}

Start<int> act(const Program& program, Host& host, Action action, const Hardening& hardening) {
  // These write nothing, so they may run beside the daemon.
  if (action == Action::check_sandbox) return try_sandbox(program, host);
  if (action == Action::dump) return dump(program, host);
  SR_TRY(const FileLock lock, claim_instance(host.deployment));
  const auto read = host.unrecorded.read();
  if (!read) return start_failure(host.unrecorded.path(), read.error());
  if (action == Action::init) return run_once(program.init, host);
  if (action == Action::migrate) return run_once(program.migrate, host);
  if (action == Action::load) return load(program, host);
  return serve(program, host, hardening);
}

std::string_view option_of(Action action) {
  switch (action) {
    case Action::init:
      return " --init";
    case Action::migrate:
      return " --migrate";
    case Action::load:
      return " --load";
    case Action::serve:
    case Action::dump:
    case Action::check_sandbox:
      break;
  }
  return {};
}

Maker maker_of(const Deployment& deployment, Action action) {
  return {.directory = deployment.directory,
          .instance = deployment.instance,
          .operation = fmt::format("{}{}", deployment.program, option_of(action))};
}

Start<int> run(const Program& program, const Arguments& arguments, const Hardening& hardening) {
  SR_TRY(Deployment deployment,
         Deployment::load(arguments.config_path, program.name, arguments.instance));
  SR_CHECK_OK(prepare_process(deployment));
  const SystemClock clock;
  crypto::SystemRandom random;
  Unrecorded unrecorded(maker_of(deployment, arguments.action), random, clock);
  Host host{
      .deployment = std::move(deployment), .metrics = {}, .unrecorded = std::move(unrecorded)};
  return act(program, host, arguments.action, hardening);
}

}  // namespace

int run_daemon(const Program& program, int argc, char** argv) {
  const Hardening hardening = harden_process();
  const auto parsed = parse_arguments(argc, argv, program.name, program.purpose);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const Arguments& arguments = std::get<Arguments>(parsed);
  const Start<int> status = run(program, arguments, hardening);
  return status ? *status : report(arguments.instance, status.error());
}

}  // namespace strongroom::service

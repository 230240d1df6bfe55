// psp-sim: a processor's stand-in. It opens its listener, gives up every right but to serve it, and
// serves on one thread until a signal comes.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "apps/psp_sim/settings.h"
#include "async/loop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/try.h"
#include "crypto/random.h"
#include "http/router.h"
#include "http/server.h"
#include "sandbox/psp_sim.h"
#include "service/deployment.h"
#include "service/harden.h"
#include "service/start_error.h"
#include "service/wakeups.h"
#include "simulators/stripe/simulator.h"

namespace strongroom::psp_sim {
namespace {

using service::Start;
using service::start_failure;

constexpr int kBadStart = 2;
constexpr std::chrono::seconds kDrainPatience{2};

// Parts is what serves; one thread's, once its loop runs.
struct Parts {
  crypto::SystemRandom random;
  SystemClock clock;
  async::Loop loop;
  std::unique_ptr<simulators::stripe::Simulator> simulator;
  http::Router router;
  std::unique_ptr<http::Server> server;
};

Start<void> open(Parts& parts, const Settings& settings) {
  const auto address = service::parse_address(settings.listen);
  if (!address) return start_failure("--listen", address.error());
  if (const auto free = service::require_free(*address); !free) {
    return start_failure(settings.listen, free.error());
  }
  auto tls = service::load_public_tls({settings.certificate_path, settings.key_path});
  if (!tls) return start_failure("--certificate and --key", tls.error());
  auto simulator = simulators::stripe::Simulator::create(parts.loop, parts.random, parts.clock,
                                                         {.search_delay = settings.search_delay});
  if (!simulator) return start_failure("secret memory", simulator.error());
  parts.simulator = *std::move(simulator);
  parts.simulator->add_routes(parts.router);
  auto server = http::Server::listen_tcp(parts.loop, {address->host, address->port},
                                         *std::move(tls), parts.router, {});
  if (!server) return start_failure(settings.listen, server.error());
  parts.server = *std::move(server);
  return {};
}

async::Task<void> drain(Parts& parts) {
  parts.simulator->stop();
  co_await parts.server->drain(kDrainPatience);
  parts.loop.stop();
}

Start<void> run(const Settings& settings) {
  log::set_process("psp-sim");
  Parts parts;
  SR_CHECK_OK(open(parts, settings));
  auto wakeups = service::Wakeups::create();
  if (!wakeups) return start_failure("signals", wakeups.error());
  const auto enforced = sandbox::enter_psp_sim();
  if (!enforced) return start_failure("sandbox", enforced.error());
  fmt::print("psp-sim: https://{}\n", settings.listen);
  std::fflush(stdout);
  log::info("serving", {{"sandbox_gaps", enforced->gaps.size()}});
  std::thread thread([&parts] { parts.loop.run(); });
  while (!wakeups->wait(std::nullopt).stop) {
  }
  parts.loop.post([&parts] { async::spawn(drain(parts)); });
  thread.join();
  log::info("stopped");
  return {};
}

}  // namespace
}  // namespace strongroom::psp_sim

int main(int argc, char** argv) {
  namespace psp_sim = strongroom::psp_sim;
  static_cast<void>(strongroom::service::harden_process());
  const auto parsed = psp_sim::parse_settings(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto served = psp_sim::run(std::get<psp_sim::Settings>(parsed));
  if (served) return 0;
  fmt::print(stderr, "psp-sim: {}\n", served.error().text());
  return psp_sim::kBadStart;
}

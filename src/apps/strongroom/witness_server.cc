// witness run: opens the listener, gives up every right but to serve it and to remember, and serves
// on one thread until a signal comes.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "apps/strongroom/witness_command.h"
#include "async/loop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/try.h"
#include "http/router.h"
#include "http/server.h"
#include "sandbox/witness.h"
#include "service/harden.h"
#include "service/wakeups.h"
#include "witness/routes.h"
#include "witness/witness.h"

namespace strongroom::tool {
namespace {

using service::Start;
using service::start_failure;

constexpr std::chrono::seconds kDrainPatience{2};
constexpr Error kServesNobody{ErrorCode::invalid_argument,
                              "[witness] has no listen, certificate and key to serve with"};

// Parts is what serves; one thread's, once its loop runs.
struct Parts {
  explicit Parts(witness::Witness kept) : witness(std::move(kept)) {}
  witness::Witness witness;
  async::Loop loop;
  http::Router router;
  std::unique_ptr<http::Server> server;
};

Start<witness::Witness> open_witness(const WitnessSettings& settings, const Clock& clock) {
  SR_TRY(crypto::Ed25519Signer signer, read_witness_key(settings));
  auto opened = witness::Witness::open(settings.folder, settings.name, std::move(signer), clock);
  if (!opened) return start_failure(settings.folder, opened.error());
  return *std::move(opened);
}

Start<void> listen(Parts& parts, const WitnessSettings& settings) {
  if (!settings.listen) return start_failure(settings.folder, kServesNobody);
  const std::string where = text_of(*settings.listen);
  if (const auto free = service::require_free(*settings.listen); !free) {
    return start_failure(where, free.error());
  }
  auto tls = service::load_public_tls(settings.tls);
  if (!tls) return start_failure("[witness] " + text_of(settings.tls), tls.error());
  witness::add_routes(parts.router, parts.witness);
  auto server = http::Server::listen_tcp(parts.loop, {settings.listen->host, settings.listen->port},
                                         *std::move(tls), parts.router, {});
  if (!server) return start_failure(where, server.error());
  parts.server = *std::move(server);
  return {};
}

Result<sandbox::Enforced> enter_sandbox(const WitnessSettings& settings) {
  return sandbox::enter_witness(
      {.config_folder = settings.config_folder(),
       .credential_paths = {service::folder_of(settings.tls.certificate_path),
                            service::folder_of(settings.tls.key_path)},
       .state_folder = settings.state_folder()});
}

async::Task<void> drain(Parts& parts) {
  co_await parts.server->drain(kDrainPatience);
  parts.loop.stop();
}

// Loop's thread.
void reload(Parts& parts, const WitnessSettings& settings) {
  auto tls = service::load_public_tls(settings.tls);
  if (tls) {
    parts.server->set_tls(*std::move(tls));
    log::info("certificate read again");
  } else {
    log::error("certificate not taken over", {{"error", tls.error()}});
  }
}

void serve(Parts& parts, const WitnessSettings& settings, service::Wakeups& wakeups) {
  std::thread thread([&parts] { parts.loop.run(); });
  while (true) {
    const service::Wakeups::Wakeup wakeup = wakeups.wait(std::nullopt);
    if (wakeup.stop) break;
    if (wakeup.reload) parts.loop.post([&parts, &settings] { reload(parts, settings); });
  }
  parts.loop.post([&parts] { async::spawn(drain(parts)); });
  thread.join();
}

Start<void> run(const std::string& folder) {
  SR_TRY(const WitnessSettings settings, read_witness_settings(folder));
  const SystemClock clock;
  SR_TRY(witness::Witness opened, open_witness(settings, clock));
  Parts parts(std::move(opened));
  SR_CHECK_OK(listen(parts, settings));
  auto wakeups = service::Wakeups::create();
  if (!wakeups) return start_failure("signals", wakeups.error());
  const auto enforced = enter_sandbox(settings);
  if (!enforced) return start_failure("sandbox", enforced.error());
  fmt::print("{}: https://{}\n", settings.name, text_of(*settings.listen));
  std::fflush(stdout);
  log::info("serving", {{"sandbox_gaps", enforced->gaps.size()}});
  serve(parts, settings, *wakeups);
  log::info("stopped");
  return {};
}

}  // namespace

int run_witness(const Context& context) {
  static_cast<void>(service::harden_process());
  log::set_process("witness");
  const auto served = run(context.directory);
  return served ? kOk : failed(kUsage, served.error().text());
}

}  // namespace strongroom::tool

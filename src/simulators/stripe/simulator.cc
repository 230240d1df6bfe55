// The parts put together.
#include "simulators/stripe/simulator.h"

#include <utility>

#include "base/secret.h"
#include "base/try.h"
#include "simulators/stripe/desk.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::size_t kKeyBytes = 32;

}  // namespace

Result<std::unique_ptr<Simulator>> Simulator::create(async::Loop& loop, crypto::Random& random,
                                                     const Clock& clock, SimulatorOptions options) {
  SR_TRY(Ledger ledger, Ledger::create(random, clock, options.objects_max));
  SR_TRY(SecretBytes key, crypto::random_secret(random, kKeyBytes));
  auto desk = std::make_unique<Desk>(loop, clock, options, std::move(ledger), std::move(key));
  return std::unique_ptr<Simulator>(new Simulator(std::move(desk)));
}

Simulator::Simulator(std::unique_ptr<Desk> desk) noexcept : desk_(std::move(desk)) {}
Simulator::~Simulator() = default;

void Simulator::add_routes(http::Router& router) { desk_->add_routes(router); }
void Simulator::stop() noexcept { desk_->stop(); }

}  // namespace strongroom::simulators::stripe

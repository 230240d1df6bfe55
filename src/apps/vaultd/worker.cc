// vaultd's worker: recover, listen, serve, drain.
#include "apps/vaultd/worker.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "cde/vault/card_routes.h"
#include "cde/vault/delete_routes.h"
#include "cde/vault/ending_routes.h"
#include "cde/vault/key_routes.h"
#include "cde/vault/ledger_routes.h"
#include "service/neighbors.h"
#include "storage/migrations.h"

namespace strongroom::vaultd {
namespace {

constexpr std::chrono::milliseconds kStopStep{5};
constexpr std::chrono::seconds kWatchStep{1};
constexpr std::chrono::seconds kForgetStep{10};
// A processor may take its time; gatewayd waits longer.
constexpr std::chrono::seconds kConnectorTimeout{30};
constexpr std::size_t kConnectionsMax = 64;
// Who sent a card waits meanwhile; without its code it can still be paid with.
constexpr std::chrono::seconds kPeerTimeout{1};
constexpr std::size_t kCodesAtOnce = 1000;

cde::HttpStoredCards::Clients connectors(async::Loop& loop, const Config& config,
                                         const std::shared_ptr<const http::TlsContext>& tls) {
  cde::HttpStoredCards::Clients clients;
  for (const auto& [name, address] : config.connectors) {
    http::ClientOptions options{.host = address.host,
                                .port = address.port,
                                .server_identity = "connectord-" + name,
                                .tls = tls,
                                .connections_max = kConnectionsMax,
                                .response_timeout = kConnectorTimeout};
    clients.emplace(name, std::make_unique<http::Client>(loop, std::move(options)));
  }
  return clients;
}

cde::HttpCodePeers code_peers(async::Loop& loop, const Config& config,
                              const std::shared_ptr<const http::TlsContext>& tls) {
  cde::HttpCodePeers::Clients clients;
  for (const auto& [name, address] : config.peers) {
    http::ClientOptions options{.host = address.host,
                                .port = address.port,
                                .server_identity = "vaultd",
                                .tls = tls,
                                .connections_max = kConnectionsMax,
                                .connect_timeout = kPeerTimeout,
                                .response_timeout = kPeerTimeout};
    clients.emplace(name, std::make_unique<http::Client>(loop, std::move(options)));
  }
  return {config.name, std::move(clients)};
}

}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               std::unique_ptr<storage::Database> database, http::TicketVerifier verifier,
               const std::shared_ptr<const http::TlsContext>& client_tls)
    : loop_(loop),
      shared_(shared),
      index_(index),
      database_(std::move(database)),
      audit_(loop, shared.host, shared.auditd_uid, shared.random, shared.clock, cde::kCardWaitMax),
      card_days_(shared.config.retention),
      cards_(loop, *database_, shared.config.new_cards_per_truncation_daily),
      processor_tokens_(loop, *database_),
      payable_cards_(loop, *database_),
      uses_(loop, *database_),
      held_deletes_(*database_, shared.config.deletes),
      stored_cards_(connectors(loop, shared.config, client_tls)),
      code_peers_(code_peers(loop, shared.config, client_tls)),
      hsm_(loop, shared.hsm.calls()),
      keys_(hsm_, shared.key_sets, shared.random),
      key_store_(hsm_, shared.key_sets, shared.config.hsm.copy_keys),
      key_keeper_({.loop = loop,
                   .database = *database_,
                   .keys = key_store_,
                   .recorder = audit_.client(),
                   .random = shared.random,
                   .clock = shared.clock,
                   .instance = shared.config.name}),
      vault_({.loop = loop,
              .cards = cards_,
              .processor_tokens = processor_tokens_,
              .payable_cards = payable_cards_,
              .uses = uses_,
              .held_deletes = held_deletes_,
              .stored_cards = stored_cards_,
              .keys = keys_,
              .key_keeper = key_keeper_,
              .codes = shared.codes,
              .code_peers = code_peers_,
              .budgets = shared.budgets,
              .retention = card_days_,
              .recorder = audit_.client(),
              .random = shared.random,
              .clock = shared.clock,
              .metrics = shared.metrics,
              .commit_lag_max = shared.config.database.commit_lag_max}),
      removals_({.loop = loop,
                 .store = processor_tokens_,
                 .stored_cards = stored_cards_,
                 .recorder = audit_.client(),
                 .random = shared.random,
                 .clock = shared.clock,
                 .metrics = shared.metrics}),
      purge_({.loop = loop,
              .cards = cards_,
              .vault = vault_,
              .recorder = audit_.client(),
              .random = shared.random,
              .clock = shared.clock,
              .after = shared.config.purge_after}),
      releases_({.loop = loop,
                 .held_deletes = held_deletes_,
                 .vault = vault_,
                 .clock = shared.clock,
                 .metrics = shared.metrics}),
      delete_desk_({.held_deletes = held_deletes_,
                    .keys = keys_,
                    .recorder = audit_.client(),
                    .random = shared.random,
                    .clock = shared.clock}),
      due_erasures_(*database_, cards_, vault_, shared.clock),
      retention_({.loop = loop,
                  .cards = cards_,
                  .keys = keys_,
                  .recorder = audit_.client(),
                  .random = shared.random,
                  .clock = shared.clock},
                 card_days_),
      rewrap_({.loop = loop,
               .cards = cards_,
               .keys = keys_,
               .key_keeper = key_keeper_,
               .recorder = audit_.client(),
               .random = shared.random,
               .clock = shared.clock,
               .metrics = shared.metrics}),
      erasures_({.loop = loop,
                 .cards = cards_,
                 .key_keeper = key_keeper_,
                 .clock = shared.clock,
                 .metrics = shared.metrics,
                 .within = shared.config.erase_within}),
      listener_(loop, std::move(verifier)) {
  http::Router& router = listener_.router();
  router.on_denied([this](const http::Request& request, const wire::Problem&) {
    return audit_.record_denial(request, "/v1/cards");
  });
  cde::add_card_routes(router, vault_, shared.host.deployment.profile, shared.clock);
}

async::Task<Result<void>> Worker::start() {
  if (index_ == 0) SR_CO_CHECK_OK(service::require_free(shared_.config.listen));
  SR_CO_CHECK_OK(
      co_await service::repeat_until_done(loop_, stopping_, [this] { return recover(); }));
  if (stopping_) co_return Result<void>{};
  recovered_ = true;
  if (index_ == 0) {
    async::spawn(sweep_codes());
    async::spawn(forget_new_cards());
    async::spawn(removals_.run());
    async::spawn(purge_.run());
    async::spawn(releases_.run());
    async::spawn(retention_.run());
    async::spawn(key_keeper_.run());
    async::spawn(rewrap_.run());
    async::spawn(erasures_.run());
  }
  async::spawn(watch_hsm());
  async::spawn(uses_.run());
  co_return listener_.open(shared_.host.deployment, shared_.config.listen, shared_.config.tls);
}

async::Task<Result<void>> Worker::recover() {
  const Result<void> known = co_await storage::check_schema(*database_, cde::vault_migrations());
  if (!known || index_ != 0) co_return known;
  SR_CO_CHECK_OK(co_await key_keeper_.start());
  const Result<void> closed = co_await vault_.close_open_intents();
  SR_CO_CHECK_OK(closed);
  SR_CO_CHECK_OK(co_await due_erasures_.run());
  co_return co_await audit_.record_start();
}

async::Task<void> Worker::sweep_codes() {
  while (!stopping_) {
    shared_.codes.sweep(std::chrono::steady_clock::now());
    co_await drop_erased_codes();
    shared_.metrics.set_codes_held(static_cast<std::int64_t>(shared_.codes.count()));
    co_await loop_.sleep_for(kWatchStep);
  }
}

// Of cards that another vaultd has erased: a thousand codes a second.
async::Task<void> Worker::drop_erased_codes() {
  if (code_peers_.empty()) co_return;
  std::vector<TokenId> held = shared_.codes.tokens(codes_mark_, kCodesAtOnce);
  codes_mark_ = held.size() < kCodesAtOnce ? TokenId{} : held.back();
  if (held.empty()) co_return;
  dropping_ = true;
  const Result<std::vector<TokenId>> erased = co_await cards_.erased_of(std::move(held));
  dropping_ = false;
  if (!erased) co_return;
  for (const TokenId& token : *erased) shared_.codes.drop(token, std::chrono::steady_clock::now());
}

async::Task<void> Worker::forget_new_cards() {
  while (!stopping_) {
    forgetting_ = true;
    const Result<std::size_t> forgotten = co_await cards_.forget_new(shared_.clock.now_us());
    forgetting_ = false;
    if (!forgotten || *forgotten == 0) co_await loop_.sleep_for(kForgetStep);
  }
}

// A task of its own: an HSM that hangs must not keep codes.
async::Task<void> Worker::watch_hsm() {
  while (!stopping_) {
    asking_hsm_ = true;
    co_await hsm_.check();
    asking_hsm_ = false;
    co_await loop_.sleep_for(kWatchStep);
  }
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  vault_.stop();
  removals_.stop();
  purge_.stop();
  releases_.stop();
  retention_.stop();
  key_keeper_.stop();
  rewrap_.stop();
  erasures_.stop();
  uses_.stop();
  co_await listener_.drain();
  while (asking_hsm_ || forgetting_ || dropping_ || removals_.busy() || purge_.busy() ||
         releases_.busy() || retention_.busy() || key_keeper_.busy() || rewrap_.busy() ||
         erasures_.busy() || uses_.busy()) {
    co_await loop_.sleep_for(kStopStep);
  }
  static_cast<void>(co_await uses_.flush());
  if (index_ == 0) co_await key_keeper_.leave();
  co_await stored_cards_.close();
  co_await code_peers_.close();
  co_await audit_.close();
  co_await database_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[vaultd] not taken over", {{"reason", config.error().text()}});
  if (config && config->retention != card_days_) {
    card_days_ = config->retention;
    if (index_ == 0) retention_.set(card_days_);
  }
  const service::Credentials& credentials = config ? config->tls : shared_.config.tls;
  const auto client_tls = service::load_client_tls(deployment, credentials);
  if (client_tls) {  // else the listener says why
    stored_cards_.set_tls(*client_tls);
    code_peers_.set_tls(*client_tls);
  }
  return listener_.reload(deployment, credentials) && config;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("database", database_->ready(), "not reached");
  readiness.add("disk", database_->has_room(), "the database's disk is full");
  audit_.readiness(readiness);
  const std::optional<Error>& hsm = hsm_.trouble();
  readiness.add("hsm", !hsm, hsm ? hsm->what() : "");
  if (hsm_.failed_of_late())
    readiness.warn("hsm: calls have failed in the last minute; see the log");
  const std::optional<Error>& trouble = key_keeper_.trouble();
  readiness.add("keys", !trouble, trouble ? trouble->what() : "");
  if (shared_.config.hsm.software) readiness.warn("hsm: software, not a hardware module");
  if (purge_.clock_jumped()) readiness.warn("clock: has jumped, nothing is purged");
  if (releases_.waiting() > 0) {
    readiness.warn("deletes: some wait for you, see strongroom deletes list");
  }
  if (rewrap_.failed() > 0) {
    readiness.warn("keys: some cards under an old key do not open, and it cannot go; see the log");
  }
  if (erasures_.late() > 0) {
    readiness.warn("keys: some are not destroyed within erase_within_days; strongroom keys list");
  }
  readiness.add(
      "recovery", recovered_,
      "open intents are not closed yet, or cards not erased again that a restore has brought"
      " back");
}

void Worker::add_admin_routes(http::Router& router) {
  cde::add_delete_routes(router, {recovered_, delete_desk_});
  cde::add_key_routes(router, {recovered_, key_keeper_, rewrap_, erasures_, shared_.clock});
  cde::add_ending_routes(router, {recovered_, key_keeper_, cards_, shared_.clock});
  cde::add_ledger_routes(router, {recovered_, key_keeper_});
}

}  // namespace strongroom::vaultd

// One thread of vaultd: its database connections, audit client, HSM session, routes and listener.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>

#include "apps/vaultd/config.h"
#include "apps/vaultd/hsm.h"
#include "async/loop.h"
#include "base/clock.h"
#include "cde/keys/hsm_key_ring.h"
#include "cde/keys/hsm_key_store.h"
#include "cde/keys/hsm_trips.h"
#include "cde/keys/key_keeper.h"
#include "cde/keys/key_set.h"
#include "cde/vault/budgets.h"
#include "cde/vault/card_store.h"
#include "cde/vault/code_peers.h"
#include "cde/vault/cvc_holder.h"
#include "cde/vault/delete_desk.h"
#include "cde/vault/due_erasures.h"
#include "cde/vault/erasure_job.h"
#include "cde/vault/held_deletes.h"
#include "cde/vault/payable_cards.h"
#include "cde/vault/processor_token_store.h"
#include "cde/vault/purge_job.h"
#include "cde/vault/release_job.h"
#include "cde/vault/removal_job.h"
#include "cde/vault/retention.h"
#include "cde/vault/rewrap_job.h"
#include "cde/vault/stored_cards.h"
#include "cde/vault/usage_tally.h"
#include "cde/vault/vault.h"
#include "cde/vault/vault_metrics.h"
#include "crypto/random.h"
#include "http/ticket.h"
#include "http/tls.h"
#include "service/audit_link.h"
#include "service/daemon.h"
#include "service/inner_listener.h"
#include "storage/database.h"

namespace strongroom::vaultd {

// What all workers share; made before the sandbox, thread-safe, outlives them.
struct Shared {
  service::Host& host;
  Config config;
  Hsm hsm;
  uid_t auditd_uid;
  cde::VaultMetrics metrics;
  cde::KeySets key_sets{};
  cde::CvcHolder codes{};
  SystemClock clock{};
  crypto::SystemRandom random{};
  cde::Budgets budgets{config.budgets};
};

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Shared& shared, std::size_t index,
         std::unique_ptr<storage::Database> database, http::TicketVerifier verifier,
         const std::shared_ptr<const http::TlsContext>& client_tls);

  async::Task<Result<void>> start() override;
  async::Task<void> drain() override;
  bool reload(const service::Deployment& deployment) override;
  void record_reload(bool all, const std::string& user) override {
    audit_.record_reload(all, user);
  }
  void readiness(service::Readiness& readiness) override;
  void add_admin_routes(http::Router& router) override;

 private:
  // Until it is done, or the daemon stops: schema known, the HSM's keys those of the database, open
  // intents closed, what a restore has brought back erased again.
  async::Task<Result<void>> recover();
  async::Task<void> sweep_codes();
  async::Task<void> drop_erased_codes();
  async::Task<void> forget_new_cards();
  async::Task<void> watch_hsm();

  async::Loop& loop_;
  Shared& shared_;
  const std::size_t index_;
  std::unique_ptr<storage::Database> database_;
  service::AuditLink audit_;
  cde::Retention card_days_;  // this worker's, for a reload comes to each by itself
  cde::CardStore cards_;
  cde::ProcessorTokenStore processor_tokens_;
  cde::PayableCards payable_cards_;
  cde::UsageTally uses_;
  cde::HeldDeletes held_deletes_;
  cde::HttpStoredCards stored_cards_;
  cde::HttpCodePeers code_peers_;
  cde::HsmTrips hsm_;
  cde::HsmKeyRing keys_;
  cde::HsmKeyStore key_store_;
  cde::KeyKeeper key_keeper_;
  cde::Vault vault_;
  cde::RemovalJob removals_;
  cde::PurgeJob purge_;
  cde::ReleaseJob releases_;
  cde::DeleteDesk delete_desk_;
  cde::DueErasures due_erasures_;
  cde::RetentionJob retention_;
  cde::RewrapJob rewrap_;
  cde::ErasureJob erasures_;
  service::InnerListener listener_;
  bool recovered_ = false;
  bool asking_hsm_ = false;  // the answer comes to this Loop
  bool forgetting_ = false;
  bool dropping_ = false;
  TokenId codes_mark_{};
  bool stopping_ = false;
};

}  // namespace strongroom::vaultd

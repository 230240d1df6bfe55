// Auditd: wires intake, writer and signer.
#include "auditd/auditd.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using async::Task;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kTick{50};
constexpr milliseconds kPoll{1};

Task<http::Response> sign_now(Auditd* auditd) {
  Result<std::size_t> count = fail({ErrorCode::unavailable, "audit journal is still being read"});
  if (auditd != nullptr) count = co_await auditd->checkpoint_now();
  if (!count) co_return http::problem_response(wire::problem_of(count.error()), {});
  co_return http::json_response(200, fmt::format(R"({{"signed":{}}})", *count));
}

}  // namespace

Result<Store> Store::open(audit::Files& files, const Clock& clock, crypto::Random& random,
                          const StoreOptions& options, crypto::Ed25519Signer signer) {
  const std::string place = fmt::format("{}/{}", options.trust_domain, options.instance);
  SR_TRY(FileLock lock, FileLock::acquire(options.directory + "/lock"));
  SR_TRY(Checkpoints checkpoints,
         Checkpoints::open(files, options.directory, place, std::move(signer)));
  SR_TRY(std::unique_ptr<Ledger> ledger, Ledger::open(files, clock, random,
                                                      {.directory = options.directory,
                                                       .instance = options.instance,
                                                       .place = place,
                                                       .journal = options.journal,
                                                       .replay = options.replay},
                                                      checkpoints.last_signed()));
  return Store{std::move(lock), std::move(checkpoints), std::move(ledger)};
}

Auditd::Auditd(async::Loop& loop, Store store, Registry& metrics, AuditdOptions options)
    : loop_(loop),
      options_(std::move(options)),
      lock_(std::move(store.lock)),
      checkpoints_(std::move(store.checkpoints)),
      pool_(std::make_unique<async::BlockingPool>(1, 1)),
      signed_(metrics.counter("strongroom_audit_checkpoints_total", "Checkpoints signed.")),
      signing_gauge_(metrics.gauge("strongroom_audit_signing", "1 while checkpoints are signed.")) {
  signing_gauge_.set(1);
}

Result<std::unique_ptr<Auditd>> Auditd::start(async::Loop& loop, Store store, Registry& metrics,
                                              AuditdOptions options) {
  std::unique_ptr<Ledger> ledger = std::move(store.ledger);
  std::unique_ptr<Auditd> auditd(new Auditd(loop, std::move(store), metrics, std::move(options)));
  Auditd& self = *auditd;
  self.writer_ =
      std::make_unique<Writer>(loop, std::move(ledger), metrics, [&self](bool accepting) {
        if (self.intake_) self.intake_->tell_state(accepting);
      });
  auto intake = Intake::listen(loop, *self.writer_, self.options_.socket_path, self.options_.users);
  if (!intake) {
    self.writer_->end();
    return std::unexpected(intake.error());
  }
  self.intake_ = *std::move(intake);
  self.ticking_ = true;
  async::spawn(self.sign_regularly());
  return auditd;
}

Auditd::~Auditd() { SR_CHECK(!ticking_); }

Task<void> Auditd::sign_regularly() {
  auto last = steady_clock::now();
  while (!draining_) {
    co_await loop_.sleep_for(kTick);
    const bool work = writer_->has_grown() || !unsigned_.empty();
    if (!work || steady_clock::now() - last < options_.checkpoint_interval) continue;
    last = steady_clock::now();
    const auto outcome = co_await sign();
    if (!outcome) log::error("audit checkpoints are not signed", {{"error", outcome.error()}});
  }
  ticking_ = false;
}

Task<Result<std::size_t>> Auditd::checkpoint_now() { return sign(); }

Task<Result<std::size_t>> Auditd::sign() {
  while (busy_) co_await loop_.sleep_for(kPoll);
  busy_ = true;
  keep(co_await writer_->take_grown(unwritten_entries()));
  const std::size_t count = unsigned_.size();
  Result<void> published;
  if (count > 0) {
    auto work = [this] { return checkpoints_.publish(unsigned_); };
    published = co_await pool_->run(loop_, std::move(work));
  }
  busy_ = false;
  signing_works_ = published.has_value();
  signing_gauge_.set(signing_works_ ? 1 : 0);
  signed_.add(count - unsigned_.size());
  if (!published) co_return std::unexpected(published.error());
  co_return count;
}

std::size_t Auditd::unwritten_entries() const {
  std::size_t entries = 0;
  for (const GrownLog& log : unsigned_) entries += log.growth.places.size();
  return entries;
}

// What could not be written or signed yet is tried together with what has grown since.
void Auditd::keep(std::vector<GrownLog> grown) {
  for (GrownLog& log : grown) {
    const auto same = std::ranges::find(unsigned_, log.name, &GrownLog::name);
    if (same == unsigned_.end()) {
      unsigned_.push_back(std::move(log));
    } else {
      same->head = log.head;
      same->growth.join(std::move(log.growth));
    }
  }
}

Task<void> Auditd::drain() {
  co_await intake_->close();
  draining_ = true;
  while (ticking_) co_await loop_.sleep_for(kPoll);
  co_await writer_->record_stop();
  const auto outcome = co_await sign();
  if (!outcome) log::error("last audit checkpoints are not signed", {{"error", outcome.error()}});
  writer_->end();
  co_await loop_.sleep_for(kPoll);  // whatever the writer posted last has run now
}

void add_admin_routes(http::Router& router, std::function<Auditd*()> auditd) {
  router.add(
      {.method = http::Method::post,
       .pattern = "/v1/checkpoints",
       .identities = {http::kLocal},
       .handler = [auditd = std::move(auditd)](http::Request&) { return sign_now(auditd()); }});
}

}  // namespace strongroom::auditd

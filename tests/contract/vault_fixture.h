// What tests of the vault share: a real SQLite database and a real SoftHSM token, an audit recorder
// and a connector in memory that can be made to fail.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "cde/keys/hsm_key_ring.h"
#include "cde/keys/hsm_key_store.h"
#include "cde/keys/key_keeper.h"
#include "cde/vault/vault.h"
#include "storage/migrations.h"
#include "support/softhsm.h"
#include "support/temporary_directory.h"

namespace strongroom::cde {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using wire::ProblemType;

// A recorder in memory that refuses from a given call on, or lets entries of one type wait.
class FakeRecorder final : public audit::Recorder {
 public:
  explicit FakeRecorder(async::Loop& loop) : loop_(loop) {}
  async::Task<Result<void>> record(const audit::Entry& entry) override {
    if (refuse_) co_return fail({ErrorCode::unavailable, "auditd is absent"});
    entries.push_back(entry);
    const EventType type = entry.event_type;
    while (paused == type) co_await loop_.sleep_for(std::chrono::milliseconds(1));
    co_return Result<void>{};
  }
  void send(const audit::Entry& entry) override { entries.push_back(entry); }
  async::Task<Result<std::vector<audit::OpenIntent>>> open_intents() override { co_return open; }
  bool ready() const override { return !refuse_; }

  void refuse(bool refuse) { refuse_ = refuse; }
  std::vector<audit::Entry> entries;
  std::vector<audit::OpenIntent> open;
  std::optional<EventType> paused;

 private:
  async::Loop& loop_;
  bool refuse_ = false;
};

// A database that loses connections: per write_many, in order, a fate. A held one answers
// unknown_outcome and commits when let go, as a server does that works on without its client.
class LossyDatabase final : public storage::Database {
 public:
  enum class Fate : std::uint8_t { passes, held, refused, disk_full };

  explicit LossyDatabase(storage::Database& inner) : inner_(inner) {}
  async::Task<Result<storage::Rows>> read(storage::Statement statement) override {
    ++reads;
    return inner_.read(std::move(statement));
  }
  async::Task<Result<std::vector<storage::Rows>>> write(
      std::vector<storage::Statement> statements) override {
    ++writes;
    const bool passes = refused_writes == 0 || passing_writes > 0;
    if (passing_writes > 0) --passing_writes;
    if (passes) co_return co_await inner_.write(std::move(statements));
    --refused_writes;
    co_return fail({ErrorCode::unavailable, "no connection"});
  }
  async::Task<Result<storage::Rows>> read_many(storage::ManyStatement statement) override {
    ++reads;
    return inner_.read_many(std::move(statement));
  }
  async::Task<Result<std::vector<storage::Rows>>> write_many(
      std::vector<storage::ManyStatement> statements) override {
    ++writes;
    const Fate fate = fates.empty() ? Fate::passes : fates.front();
    if (!fates.empty()) fates.erase(fates.begin());
    if (fate == Fate::passes) co_return co_await inner_.write_many(std::move(statements));
    if (fate == Fate::refused) co_return fail({ErrorCode::unavailable, "no connection"});
    if (fate == Fate::disk_full) co_return fail(storage::kDiskFull);
    held_ = std::move(statements);
    co_return fail({ErrorCode::unknown_outcome, "the connection was lost"});
  }
  async::Task<Result<bool>> has_open_for(std::chrono::milliseconds) override {
    co_return !held_.empty();
  }
  bool ready() const override { return inner_.ready(); }
  bool has_room() const override { return inner_.has_room(); }
  async::Task<void> close() override { return inner_.close(); }

  async::Task<Result<std::vector<storage::Rows>>> let_go() {
    return inner_.write_many(std::exchange(held_, {}));
  }
  std::vector<Fate> fates;
  int passing_writes = 0;  // that come before those
  int refused_writes = 0;  // of the next ones
  int reads = 0;
  int writes = 0;

 private:
  storage::Database& inner_;
  std::vector<storage::ManyStatement> held_;
};

// A connector in memory: what was handed over, and what it says.
class FakeStoredCards final : public StoredCards {
 public:
  explicit FakeStoredCards(async::Loop& loop) : loop_(loop) {}
  bool has(std::string_view connector) const override { return connector == "stripe"; }
  async::Task<Answer<HandedOver>> store(std::string, SecretBytes body, std::string ticket,
                                        std::string) override {
    bodies.emplace_back(as_text(body.reveal()));
    tickets.push_back(std::move(ticket));
    const std::size_t number = bodies.size();
    while (paused) co_await loop_.sleep_for(std::chrono::milliseconds(1));
    if (problem) co_return std::unexpected(*problem);
    if (refusal) co_return HandedOver(*refusal);
    co_return HandedOver("token_" + std::to_string(number));
  }
  async::Task<Result<void>> remove(std::string, AtProcessor what) override {
    if (remove_fails) co_return fail({ErrorCode::unavailable, "no connector"});
    removed.push_back(std::move(what.processor_token));
    co_return Result<void>{};
  }

  std::vector<std::string> bodies, tickets, removed;
  std::optional<wire::Problem> problem;
  std::optional<StoreRefusal> refusal;
  bool paused = false, remove_fails = false;

 private:
  async::Loop& loop_;
};

// No other vaultd, or one that takes every code.
class FakePeers final : public CodePeers {
 public:
  async::Task<bool> take(PublicToken token, const Cvc&, std::string ticket, std::string) override {
    if (!takes) co_return false;
    taken.push_back(token.text() + " " + ticket);
    co_return true;
  }
  bool takes = false;
  std::vector<std::string> taken;
};

class SetClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now; }
  std::int64_t now = *parse_rfc3339("2026-11-21T12:00:00Z");
};

// The HSM is opened once for all tests: a module is loaded once per process.
struct Hsm {
  test::TemporarySoftHsm softhsm;
  std::unique_ptr<pkcs11::Module> module = *pkcs11::Module::load(softhsm.module_path());
  std::unique_ptr<pkcs11::Token> token =
      *pkcs11::Token::open(*module, softhsm.kLabel, test::secret_of(softhsm.kPin));
  std::unique_ptr<pkcs11::SessionPool> sessions = *pkcs11::SessionPool::open(*token, kSessions);

  Hsm() { SR_CHECK(make_first_keys(*token)); }
  // For the next test, whose database is a new one.
  void forget_later_keys() const {
    const std::vector<std::string> labels = *token->key_labels();
    for (const std::string& label : labels) {
      if (!label.ends_with("/1")) SR_CHECK(token->destroy_key(*token->find_key(label)));
    }
    SR_CHECK(make_first_keys(*token));
  }

 private:
  static constexpr std::size_t kSessions = 4;
};

// An HSM that does not destroy some keys, or copies of them.
class RefusingKeyStore final : public KeyStore {
 public:
  explicit RefusingKeyStore(KeyStore& inner) : inner_(inner) {}
  async::Task<Result<void>> open(KeyRecords records) override {
    return inner_.open(std::move(records));
  }
  async::Task<Result<void>> give_up() override {
    if (keeps_copies) co_return fail({ErrorCode::invalid_argument, "the HSM keeps a copy"});
    co_return co_await inner_.give_up();
  }
  std::int64_t uses_left(KeyName name, std::uint32_t version) const override {
    return inner_.uses_left(name, version);
  }
  void add_uses(KeyName name, std::uint32_t version, std::int64_t count) override {
    inner_.add_uses(name, version, count);
  }
  void hold(bool held) noexcept override { inner_.hold(held); }
  async::Task<Result<KeyCheckValue>> make(KeyName name, std::uint32_t version) override {
    return inner_.make(name, version);
  }
  async::Task<Result<void>> destroy(KeyName name, std::uint32_t version) override {
    if (version == keeps) co_return fail({ErrorCode::invalid_argument, "the HSM keeps it"});
    co_return co_await inner_.destroy(name, version);
  }
  async::Task<Result<KeyCheckValue>> check_value(KeyName name, std::uint32_t version) override {
    return inner_.check_value(name, version);
  }
  async::Task<Result<std::vector<std::uint32_t>>> versions(KeyName name) override {
    return inner_.versions(name);
  }
  async::Task<Result<std::vector<RegistryMac>>> macs(
      std::uint32_t version, std::vector<std::vector<std::byte>> authenticated) override {
    return inner_.macs(version, std::move(authenticated));
  }
  async::Task<Result<HsmDescription>> describe() override { return inner_.describe(); }

  std::uint32_t keeps = 0;  // that version, whatever it is of
  bool keeps_copies = false;

 private:
  KeyStore& inner_;
};

// The keys of one vaultd of a database, open and registered. It has an audit log of its own.
struct OpenKeys {
  OpenKeys(async::Loop& loop, storage::Database& database, Hsm& hsm, crypto::Random& random,
           const Clock& clock, std::string instance = "vaultd", KeyKeeper::Waits waits = {})
      : recorder(loop),
        trips(loop, {hsm.token.get(), hsm.sessions.get(), nullptr}),
        ring(trips, sets, random),
        store(trips, sets, true),
        refusing(store),
        keeper({loop, database, refusing, recorder, random, clock, std::move(instance), waits}) {}

  FakeRecorder recorder;
  KeySets sets;
  HsmTrips trips;
  HsmKeyRing ring;
  HsmKeyStore store;
  RefusingKeyStore refusing;
  KeyKeeper keeper;
};

class VaultTest : public ::testing::Test {
 public:
  ~VaultTest() override {
    keys_.reset();
    hsm_->forget_later_keys();
    loop_.run_until_done(database_->close());
  }

 protected:
  static void SetUpTestSuite() { hsm_ = new Hsm; }
  static void TearDownTestSuite() { delete hsm_; }

  // On the database at `url`; on a SQLite file where it is empty.
  explicit VaultTest(std::string url = {}) {
    if (url.empty()) url = "sqlite:" + (folder_.path() / "vault.db").string();
    database_ = *storage::open(loop_, {.url = std::move(url)});
    SR_CHECK(loop_.run_until_done(storage::migrate(*database_, vault_migrations(), clock_)));
    lossy_ = std::make_unique<LossyDatabase>(*database_);
    cards_ = std::make_unique<CardStore>(loop_, *lossy_, kNewCardsMax);
    processor_tokens_ = std::make_unique<ProcessorTokenStore>(loop_, *lossy_);
    payable_cards_ = std::make_unique<PayableCards>(loop_, *lossy_);
    uses_ = std::make_unique<UsageTally>(loop_, *lossy_);
    held_deletes_ = std::make_unique<HeldDeletes>(*lossy_, kDeletes);
    open_keys();
    make_vault({});
  }
  // Anew, as a process that starts does.
  void open_keys() {
    keys_ = std::make_unique<OpenKeys>(loop_, *database_, *hsm_, random_, clock_);
    SR_CHECK(loop_.run_until_done(keys_->keeper.start()));
  }
  void make_vault(std::chrono::milliseconds commit_lag_max) {
    vault_ = std::make_unique<Vault>(
        VaultParts{loop_, *cards_, *processor_tokens_, *payable_cards_, *uses_, *held_deletes_,
                   stored_cards_, keys_->ring, keys_->keeper, codes_, code_peers_, budgets_,
                   retention_, recorder_, random_, clock_, metrics_, commit_lag_max});
  }

  static Caller caller(std::string merchant = "mer_a") {
    return {.subject = "key_1",
            .merchant = std::move(merchant),
            .source = "192.0.2.1",
            .operation = "POST /v1/cards",
            .request_id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"};
  }
  TokenRequest request(const std::string& more = "", const std::string& outer = "",
                       const std::string& number = "4242424242424242") {
    const std::string body = R"({"card":{"number":")" + number +
                             R"(","exp_month":12,"exp_year":2030)" + more + "}" + outer + "}";
    auto parsed = parse_token_request(as_bytes(body), {Profile::demo, clock_.now_us()});
    SR_CHECK(parsed);
    return *std::move(parsed);
  }
  Answer<TokenView> tokenize(TokenRequest request, Caller who = caller()) {
    return loop_.run_until_done(vault_->tokenize(std::move(request), std::move(who)));
  }
  Answer<TokenView> look_up(const PublicToken& token, Caller who = caller()) {
    return loop_.run_until_done(vault_->look_up(token, std::move(who)));
  }
  Answer<Erasure> erase(const PublicToken& token, Caller who = caller()) {
    return loop_.run_until_done(vault_->erase(token, std::move(who)));
  }
  void wait_until_entries(std::size_t count) {
    auto wait = [](async::Loop& loop, const FakeRecorder& recorder,
                   std::size_t wanted) -> async::Task<> {
      while (recorder.entries.size() < wanted)
        co_await loop.sleep_for(std::chrono::milliseconds(1));
    };
    loop_.run_until_done(wait(loop_, recorder_, count));
  }
  void write(std::string_view sql) { SR_CHECK(loop_.run_until_done(database_->write({{sql}}))); }
  storage::Rows rows(std::string_view sql) { return *loop_.run_until_done(database_->read({sql})); }
  // Every intent has exactly one outcome.
  void expect_balanced() {
    std::set<OperationId> open;
    for (const audit::Entry& entry : recorder_.entries) {
      if (entry.phase == Phase::intent) {
        EXPECT_TRUE(open.insert(entry.operation_id).second);
      } else if (entry.phase == Phase::outcome) {
        EXPECT_EQ(open.erase(entry.operation_id), 1U);
      }
    }
    EXPECT_TRUE(open.empty());
  }

  static constexpr std::int64_t kNewCardsMax = 20;
  static constexpr std::array<Budget, kActs> kBudgets{Budget{5000, 4000}, Budget{5000, 4000}};
  static constexpr Budget kDeletes{.merchant = 5000, .identity = 60};
  // Test cards that are alike in their first six and last four digits.
  static std::vector<std::string> alike(std::size_t count) {
    std::vector<std::string> numbers;
    for (int middle = 0; numbers.size() < count; ++middle) {
      const std::string digits = std::to_string(1'000'000 + middle).substr(1);
      if (Pan::parse("424242" + digits + "4242")) numbers.push_back("424242" + digits + "4242");
    }
    return numbers;
  }

  inline static Hsm* hsm_ = nullptr;
  test::TemporaryDirectory folder_;
  async::Loop loop_;
  SetClock clock_;
  crypto::SystemRandom random_;
  FakeRecorder recorder_{loop_};
  Registry registry_;
  VaultMetrics metrics_{registry_};
  CvcHolder codes_;
  FakePeers code_peers_;
  Budgets budgets_{kBudgets};
  Retention retention_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<LossyDatabase> lossy_;
  std::unique_ptr<CardStore> cards_;
  std::unique_ptr<ProcessorTokenStore> processor_tokens_;
  std::unique_ptr<PayableCards> payable_cards_;
  std::unique_ptr<UsageTally> uses_;
  std::unique_ptr<HeldDeletes> held_deletes_;
  FakeStoredCards stored_cards_{loop_};
  std::unique_ptr<OpenKeys> keys_;
  std::unique_ptr<Vault> vault_;
};

}  // namespace strongroom::cde

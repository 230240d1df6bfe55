// auditd and its client over real sockets: what is acknowledged is in the journal exactly once,
// also when the daemon is killed; who may write; what is signed.
#include "auditd/auditd.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "audit/client.h"
#include "audit/journal_reader.h"
#include "audit/logs.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::auditd {
namespace {

namespace fs = std::filesystem;
using async::Task;
using namespace std::chrono_literals;

crypto::Ed25519Signer test_signer() {
  std::array<std::byte, 32> seed{};
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}

class AuditdTest : public testing::Test {
 protected:
  AuditdTest() : folder_(testing::TempDir() + "sr_auditd_XXXXXX") {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    socket_ = folder_ + "/sock";
    fs::create_directory(folder_ + "/audit");
  }
  ~AuditdTest() override { fs::remove_all(folder_); }

  Result<Store> open_store() {
    return Store::open(
        files_, clock_, random_,
        {.directory = folder_ + "/audit", .instance = "auditd", .trust_domain = "test.example"},
        test_signer());
  }

  std::unique_ptr<Auditd> start(std::vector<WriterUser> users = {{"vaultd", ::geteuid()},
                                                                 {"authd", ::geteuid()}}) {
    auto store = open_store();
    SR_CHECK(store.has_value());
    auto auditd = Auditd::start(loop_, *std::move(store), metrics_,
                                {.socket_path = socket_, .users = std::move(users)});
    SR_CHECK(auditd.has_value());
    return *std::move(auditd);
  }

  std::unique_ptr<audit::Client> client(std::string instance = "vaultd") {
    return std::make_unique<audit::Client>(
        loop_, clock_,
        audit::ClientOptions{.socket_path = socket_, .instance = std::move(instance)});
  }

  std::unique_ptr<audit::Client> connected_client(std::string instance = "vaultd") {
    auto made = client(std::move(instance));
    SR_CHECK(loop_.run_until_done(made->connected(2s)));
    return made;
  }

  audit::Entry entry(audit::Phase phase = audit::Phase::single) {
    return {
        .uid = crypto::new_entry_id(random_, clock_),
        .operation_id = crypto::new_operation_id(random_, clock_),
        .event_type = audit::EventType::token_create,
        .phase = phase,
        .outcome = phase == audit::Phase::single ? audit::Outcome::success : audit::Outcome::none,
        .time_us = clock_.now_us(),
        .merchant_id = "mer_1"};
  }

  audit::Entry outcome_for(const audit::Entry& intent) {
    return audit::outcome_of(intent, audit::Outcome::done, crypto::new_entry_id(random_, clock_),
                             clock_.now_us());
  }

  std::vector<audit::Entry> journal() {
    auto reader = audit::JournalReader::open(files_, folder_ + "/audit");
    std::vector<audit::Entry> entries;
    while (true) {
      const auto frame = reader->next();
      SR_CHECK(frame.has_value());
      if (!*frame) return entries;
      entries.push_back(*audit::parse_entry(as_text((*frame)->entry)));
    }
  }

  Result<void> record(audit::Client& client, const audit::Entry& entry) {
    return loop_.run_until_done(client.record(entry));
  }
  void stop(audit::Client& client) { loop_.run_until_done(client.close()); }
  void stop(std::unique_ptr<Auditd>& auditd) {
    loop_.run_until_done(auditd->drain());
    auditd.reset();
  }

  audit::PosixFiles files_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  Registry metrics_;
  async::Loop loop_;
  std::string folder_, socket_;
};

TEST_F(AuditdTest, RecordsBetweenStartAndStop) {
  auto auditd = start();
  auto writer = connected_client();
  EXPECT_TRUE(writer->ready());
  const audit::Entry mine = entry();
  EXPECT_TRUE(record(*writer, mine));
  stop(*writer);
  stop(auditd);
  const auto entries = journal();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].event_type, audit::EventType::log_start);
  EXPECT_EQ(entries[0].instance, "auditd");
  EXPECT_EQ(entries[1].uid, mine.uid);
  EXPECT_EQ(entries[1].instance, "vaultd");
  EXPECT_EQ(entries[2].event_type, audit::EventType::log_stop);
}

Task<void> record_into(audit::Client& client, audit::Entry entry, int& left, int& failed) {
  const Result<void> outcome = co_await client.record(entry);
  if (!outcome) ++failed;
  --left;
}

Task<void> until_zero(async::Loop& loop, const int& left) {
  while (left > 0) co_await loop.sleep_for(1ms);
}

TEST_F(AuditdTest, ManyEntriesShareAGroup) {
  auto auditd = start();
  auto writer = connected_client();
  int left = 500, failed = 0;
  for (int i = 0; i < 500; ++i) {
    async::spawn(record_into(*writer, entry(), left, failed));
  }
  loop_.run_until_done(until_zero(loop_, left));
  EXPECT_EQ(failed, 0);
  const Histogram& groups =
      metrics_.histogram("strongroom_audit_group_entries", "", batch_buckets());
  std::uint64_t syncs = 0;
  for (std::size_t i = 0; i <= groups.buckets().bounds.size(); ++i) syncs += groups.count(i);
  EXPECT_LE(syncs, 20U);
  EXPECT_EQ(groups.sum(), 500);
  stop(*writer);
  stop(auditd);
}

TEST_F(AuditdTest, AnswersOpenIntentsAlsoAfterARestart) {
  auto auditd = start();
  auto writer = connected_client();
  std::vector<audit::Entry> intents;
  for (int i = 0; i < 300; ++i) {
    intents.push_back(entry(audit::Phase::intent));
    ASSERT_TRUE(record(*writer, intents.back()));
  }
  writer->send(outcome_for(intents[7]));
  loop_.run_until_done(writer->drain());
  const auto open = loop_.run_until_done(writer->open_intents());
  ASSERT_TRUE(open);
  EXPECT_EQ(open->size(), 299U);
  auto other = connected_client("authd");
  EXPECT_EQ(loop_.run_until_done(other->open_intents())->size(), 0U);
  stop(*other);
  stop(*writer);
  stop(auditd);

  auditd = start();
  writer = connected_client();
  const auto again = loop_.run_until_done(writer->open_intents());
  ASSERT_TRUE(again);
  ASSERT_EQ(again->size(), 299U);
  EXPECT_EQ((*again)[0].operation_id, intents[0].operation_id);
  EXPECT_EQ((*again)[0].merchant_id, "mer_1");
  for (const audit::OpenIntent& intent : *again) {
    writer->send(audit::outcome_of(intent, audit::Outcome::not_done,
                                   crypto::new_entry_id(random_, clock_), clock_.now_us()));
  }
  loop_.run_until_done(writer->drain());
  EXPECT_EQ(loop_.run_until_done(writer->open_intents())->size(), 0U);
  stop(*writer);
  stop(auditd);
}

TEST_F(AuditdTest, DropsARepeatedUidAlsoAfterARestart) {
  auto auditd = start();
  auto writer = connected_client();
  const audit::Entry mine = entry();
  EXPECT_TRUE(record(*writer, mine));
  EXPECT_TRUE(record(*writer, mine));
  stop(*writer);
  stop(auditd);
  auditd = start();
  writer = connected_client();
  EXPECT_TRUE(record(*writer, mine));
  stop(*writer);
  stop(auditd);
  const auto entries = journal();
  EXPECT_EQ(std::ranges::count(entries, mine.uid, &audit::Entry::uid), 1);
}

TEST_F(AuditdTest, RefusesAnotherUserAndAnUnknownInstance) {
  auto auditd = start({{"vaultd", ::geteuid() + 1}, {"authd", ::geteuid()}});
  for (const std::string instance : {"vaultd", "gatewayd"}) {
    auto stranger = client(instance);
    EXPECT_FALSE(loop_.run_until_done(stranger->connected(50ms))) << instance;
    EXPECT_FALSE(stranger->ready());
    EXPECT_EQ(record(*stranger, entry()).error().code(), ErrorCode::unavailable);
    stop(*stranger);
  }
  auto permitted = connected_client("authd");
  EXPECT_TRUE(record(*permitted, entry()));
  auditd->set_users({});
  EXPECT_EQ(record(*permitted, entry()).error().code(), ErrorCode::unavailable);
  stop(*permitted);
  stop(auditd);
}

TEST_F(AuditdTest, RefusesEntriesOfAnotherFormOneByOne) {
  auto auditd = start();
  auto writer = connected_client();
  audit::Entry early = entry();
  early.time_us += 2 * kClockSkewMaxMs * 1000;
  EXPECT_EQ(record(*writer, early).error().code(), ErrorCode::invalid_argument);
  audit::Entry unfit = entry();
  unfit.outcome = audit::Outcome::none;
  EXPECT_EQ(record(*writer, unfit).error().code(), ErrorCode::invalid_argument);
  writer->send(unfit);
  loop_.run_until_done(writer->drain());
  EXPECT_EQ(writer->outcomes_refused(), 1U);
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
}

TEST_F(AuditdTest, ClientComesBackAndRepeatsOutcomes) {
  auto auditd = start();
  auto writer = connected_client();
  const audit::Entry intent = entry(audit::Phase::intent);
  ASSERT_TRUE(record(*writer, intent));
  stop(auditd);
  const audit::Entry outcome = outcome_for(intent);
  writer->send(outcome);
  EXPECT_EQ(writer->outcomes_waiting(), 1U);
  EXPECT_EQ(record(*writer, entry()).error().code(), ErrorCode::unavailable);
  auditd = start();
  loop_.run_until_done(writer->drain());
  EXPECT_TRUE(loop_.run_until_done(writer->open_intents())->empty());
  stop(*writer);
  stop(auditd);
  const auto entries = journal();
  EXPECT_EQ(std::ranges::count(entries, outcome.uid, &audit::Entry::uid), 1);
}

TEST_F(AuditdTest, RecordsNothingWhileTooManyOutcomesWait) {
  auto auditd = start();
  auto writer = std::make_unique<audit::Client>(
      loop_, clock_,
      audit::ClientOptions{.socket_path = socket_, .instance = "vaultd", .outcomes_max = 2});
  ASSERT_TRUE(loop_.run_until_done(writer->connected(2s)));
  const audit::Entry intent = entry(audit::Phase::intent);
  ASSERT_TRUE(record(*writer, intent));
  writer->send(outcome_for(intent));
  writer->send(outcome_for(intent));
  EXPECT_FALSE(writer->ready());
  EXPECT_EQ(record(*writer, entry()).error().code(), ErrorCode::unavailable);
  loop_.run_until_done(writer->drain());
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
}

TEST_F(AuditdTest, SecondAuditdIsRefused) {
  auto auditd = start();
  EXPECT_EQ(open_store().error().code(), ErrorCode::conflict);
  stop(auditd);
}

}  // namespace
}  // namespace strongroom::auditd

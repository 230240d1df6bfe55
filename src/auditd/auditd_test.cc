// auditd and its clients over real sockets: what is acknowledged is in the journal exactly once,
// who may write, what a restart remembers.
#include <sys/socket.h>
#include <sys/un.h>

#include <functional>
#include <map>
#include <numeric>

#include "audit/protocol.h"
#include "auditd/admin_routes.h"
#include "auditd/testing/auditd_fixture.h"
#include "http/router.h"

namespace strongroom::auditd {
namespace {

TEST_F(AuditdTest, RecordsBetweenStartAndStop) {
  auto auditd = start();
  auto writer = connected_client();
  EXPECT_TRUE(writer->ready());
  const audit::Entry mine = entry();
  EXPECT_TRUE(record(*writer, mine));
  stop(*writer);
  stop(auditd);
  const auto entries = journal();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].event_type, audit::EventType::log_start);
  EXPECT_EQ(entries[0].instance, "auditd");
  EXPECT_EQ(entries[1].uid, mine.uid);
  EXPECT_EQ(entries[1].instance, "vaultd");
  EXPECT_EQ(entries[2].event_type, audit::EventType::log_checkpoint) << "of the merchant's log";
  EXPECT_EQ(entries[3].event_type, audit::EventType::log_stop);
}

TEST_F(AuditdTest, RecordsOnceWhatWasMadeBeforeItRan) {
  std::vector<audit::Entry> made{entry(), entry()};
  for (audit::Entry& one : made) {
    one.event_type = audit::EventType::key_generate;
    one.merchant_id = {};
  }
  for (int starts = 0; starts < 2; ++starts) {
    auto auditd = start();
    EXPECT_TRUE(loop_.run_until_done(auditd->record_made(made)));
    EXPECT_TRUE(loop_.run_until_done(auditd->record_made(made)));
    stop(auditd);
  }
  const auto entries = journal();
  ASSERT_GT(entries.size(), 3U);
  EXPECT_EQ(entries[0].event_type, audit::EventType::log_start);
  for (std::size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(entries[1 + i].uid, made[i].uid);
    EXPECT_EQ(entries[1 + i].instance, "auditd");
    EXPECT_EQ(count(made[i].uid), 1U);
  }
}

TEST_F(AuditdTest, SaysSoWhenItDoesNotTakeWhatWasMade) {
  auto auditd = start();
  audit::Entry refused = entry();
  refused.time_us += std::int64_t{3'600'000'000};
  const auto recorded = loop_.run_until_done(auditd->record_made({entry(), refused}));
  ASSERT_FALSE(recorded.has_value());
  EXPECT_EQ(recorded.error().code(), ErrorCode::unavailable);
  stop(auditd);
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

// A writer that has one entry after the other, until it is told to stop.
struct Busy {
  std::unique_ptr<audit::Client> client;
  std::vector<EntryId> acknowledged;
  std::vector<ErrorCode> failed;
  bool stopping = false;
  bool ended = false;
};

Task<void> record_one_after_the_other(async::Loop& loop, Busy& busy,
                                      std::function<audit::Entry()> entry) {
  while (!busy.stopping) {
    const audit::Entry next = entry();
    const Result<void> outcome = co_await busy.client->record(next);
    if (outcome) {
      busy.acknowledged.push_back(next.uid);
    } else {
      busy.failed.push_back(outcome.error().code());
      co_await loop.sleep_for(1ms);
    }
  }
  busy.ended = true;
}

Task<void> until_more(async::Loop& loop, const Busy& busy, std::size_t than) {
  while (busy.acknowledged.size() <= than) co_await loop.sleep_for(1ms);
}

TEST_F(AuditdTest, WhatIsWrittenWhileItStopsIsAcknowledgedOrFailsAndNothingIsLost) {
  constexpr std::array kPatience{0ms, 60'000ms};  // the first gives up at once
  std::array<Busy, kPatience.size()> writers;
  auto auditd = start();
  for (std::size_t i = 0; i < writers.size(); ++i) {
    writers[i].client = std::make_unique<audit::Client>(
        loop_, clock_,
        audit::ClientOptions{
            .socket_path = socket_, .instance = "vaultd", .repeat_for = kPatience[i]});
    ASSERT_TRUE(loop_.run_until_done(writers[i].client->connected(5s)));
    async::spawn(record_one_after_the_other(loop_, writers[i], [this] { return entry(); }));
  }
  for (int round = 0; round < 3; ++round) {
    for (const Busy& busy : writers) {
      loop_.run_until_done(until_more(loop_, busy, busy.acknowledged.size()));
    }
    stop(auditd);
    auditd = start();
  }
  for (Busy& busy : writers) {
    loop_.run_until_done(until_more(loop_, busy, busy.acknowledged.size()));
    busy.stopping = true;
    while (!busy.ended) loop_.run_until_done(loop_.sleep_for(1ms));
    stop(*busy.client);
    EXPECT_EQ(std::ranges::count(busy.failed, ErrorCode::unavailable), std::ssize(busy.failed));
  }
  stop(auditd);
  std::map<EntryId, int> times;
  for (const audit::Entry& each : journal()) ++times[each.uid];
  for (const Busy& busy : writers) {
    for (const EntryId& uid : busy.acknowledged) EXPECT_EQ(times[uid], 1);
  }
  EXPECT_TRUE(verify().ok());
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
  EXPECT_TRUE(loop_.run_until_done(writer->drain(5s)));
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
  std::vector<OperationId> still_open;
  for (const audit::Entry& intent : intents) still_open.push_back(intent.operation_id);
  still_open.erase(still_open.begin() + 7);
  std::ranges::sort(still_open);
  std::vector<OperationId> answered;
  for (const audit::OpenIntent& intent : *again) answered.push_back(intent.operation_id);
  EXPECT_EQ(answered, still_open);
  EXPECT_EQ((*again)[0].merchant_id, "mer_1");
  for (const audit::OpenIntent& intent : *again) {
    writer->send(audit::outcome_of(intent, audit::Outcome::not_done,
                                   crypto::new_entry_id(random_, clock_), clock_.now_us()));
  }
  EXPECT_TRUE(loop_.run_until_done(writer->drain(5s)));
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
  EXPECT_EQ(count(mine.uid), 1U);
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

TEST_F(AuditdTest, WhatTheIntakeRefusesIsInTheLogAndAFloodOfItIsACount) {
  constexpr std::size_t kFlood = 30;
  auto auditd = start({{"vaultd", ::geteuid() + 1}, {"authd", ::geteuid()}});
  for (const std::string instance : {"vaultd", "gatewayd"}) {
    auto stranger = client(instance);
    EXPECT_FALSE(loop_.run_until_done(stranger->connected(15ms))) << instance;
    stop(*stranger);
  }
  auto writer = connected_client("authd");
  audit::Entry unfit = entry();
  unfit.outcome = audit::Outcome::none;
  for (std::size_t i = 0; i < kFlood; ++i) {
    EXPECT_EQ(record(*writer, unfit).error().code(), ErrorCode::invalid_argument);
  }
  stop(*writer);
  stop(auditd);
  std::map<std::pair<std::string, std::string>, std::vector<std::uint64_t>> denied;
  for (const audit::Entry& told : journal()) {
    if (told.event_type != audit::EventType::access_denied) continue;
    EXPECT_EQ(told.outcome, audit::Outcome::denied);
    EXPECT_EQ(told.instance, "auditd");
    denied[{told.user, told.operation}].push_back(told.count.value_or(1));
  }
  const std::string stranger = "uid:" + std::to_string(::geteuid());
  EXPECT_GE((denied[{stranger, "intake as vaultd"}].size()), 1U);
  EXPECT_GE((denied[{stranger, "intake as nobody known"}].size()), 1U);
  const auto& flood = denied[{"authd", "intake: refused entry"}];
  ASSERT_EQ(flood.size(), audit::kDenialsOfUserMax + 1) << "the first ones, and a count";
  EXPECT_EQ(std::accumulate(flood.begin(), flood.end(), std::uint64_t{0}), kFlood);
  EXPECT_EQ(denied.size(), 3U);
}

TEST_F(AuditdTest, AFloodOfConnectionsIsAFewLinesOfLog) {
  constexpr int kFlood = 200;
  auto auditd = start({{"vaultd", ::geteuid()}});
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  socket_.copy(std::data(address.sun_path), sizeof(address.sun_path) - 1);
  testing::internal::CaptureStderr();
  const auto begin = std::chrono::steady_clock::now();
  std::vector<int> flood;
  for (int i = 0; i < kFlood; ++i) {
    flood.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(flood.back(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    loop_.run_until_done(loop_.sleep_for(1ms));  // the listener's queue is short
  }
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("too many connections of a user"), std::string::npos) << text;
  EXPECT_LE(std::ranges::count(text, '\n'), 2 + 2 * seconds.count()) << text;
  for (const int descriptor : flood) ::close(descriptor);
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
  EXPECT_TRUE(loop_.run_until_done(writer->drain(5s)));
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
  EXPECT_TRUE(loop_.run_until_done(writer->drain(5s)));
  EXPECT_TRUE(loop_.run_until_done(writer->open_intents())->empty());
  stop(*writer);
  stop(auditd);
  const auto entries = journal();
  EXPECT_EQ(count(outcome.uid), 1U);
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
  EXPECT_TRUE(loop_.run_until_done(writer->drain(5s)));
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
}

TEST_F(AuditdTest, SecondAuditdIsRefused) {
  auto auditd = start();
  EXPECT_EQ(open_store().error().code(), ErrorCode::conflict);
  stop(auditd);
}

Task<bool> is_cut_off(async::Loop& loop, std::string path, std::vector<audit::Message> messages) {
  auto socket = co_await async::LocalSocket::connect(loop, path);
  SR_CHECK(socket.has_value());
  for (const audit::Message& message : messages) {
    const std::array<async::Frame, 1> frames{message};
    const Result<void> written = co_await (*socket)->write(frames);
    if (!written) co_return true;
  }
  while (true) {
    const auto answer = co_await (*socket)->read(500ms);
    if (!answer) co_return answer.error().code() == ErrorCode::unavailable;
  }
}

TEST_F(AuditdTest, CutsOffWhoBreaksTheProtocol) {
  auto auditd = start();
  audit::AppendBuilder builder;
  builder.add("x");
  const audit::Message append = builder.take();
  const audit::Message hello = audit::hello_message("vaultd");
  audit::Message old = hello;
  old[1] = std::byte{9};
  const std::vector<std::vector<audit::Message>> peers{{append},
                                                       {old},
                                                       {hello, hello},
                                                       {hello, {}},
                                                       {hello, {std::byte{2}}},
                                                       {hello, audit::state_message(true)},
                                                       {audit::open_intents_message()}};
  for (const auto& messages : peers) {
    EXPECT_TRUE(loop_.run_until_done(is_cut_off(loop_, socket_, messages)));
  }
  auto writer = connected_client();
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
}

Task<std::size_t> flood(async::Loop& loop, std::string path, audit::Message message,
                        std::size_t count_max) {
  auto socket = co_await async::LocalSocket::connect(loop, path, {.write_timeout = 300ms});
  SR_CHECK(socket.has_value());
  const audit::Message hello = audit::hello_message("vaultd");
  const std::array<async::Frame, 1> first{hello};
  const std::array<async::Frame, 1> next{message};
  Result<void> written = co_await (*socket)->write(first);
  std::size_t count = 0;
  while (written && count < count_max) {
    written = co_await (*socket)->write(next);
    ++count;
  }
  co_return count;
}

TEST_F(AuditdTest, ReadsNoFurtherWhileItsAnswersAreNotRead) {
  auto auditd = start();
  audit::AppendBuilder builder;
  for (std::size_t i = 0; i < audit::kAppendEntriesMax; ++i) builder.add("no entry");
  constexpr std::size_t kMessagesMax = 20'000;
  EXPECT_LT(loop_.run_until_done(flood(loop_, socket_, builder.take(), kMessagesMax)),
            kMessagesMax);
  auto writer = connected_client();
  ASSERT_TRUE(record(*writer, entry(audit::Phase::intent)));
  EXPECT_LT(
      loop_.run_until_done(flood(loop_, socket_, audit::open_intents_message(), kMessagesMax)),
      kMessagesMax);
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
}

Task<void> connect_and_wait(async::Loop& loop, std::string path, std::string instance,
                            std::vector<std::unique_ptr<async::LocalSocket>>& welcomed) {
  auto socket = co_await async::LocalSocket::connect(loop, path);
  SR_CHECK(socket.has_value());
  const audit::Message hello = audit::hello_message(instance);
  const std::array<async::Frame, 1> frames{hello};
  const Result<void> written = co_await (*socket)->write(frames);
  if (!written) co_return;
  const auto answer = co_await (*socket)->read(1s);
  if (answer) welcomed.push_back(*std::move(socket));
}

TEST_F(AuditdTest, BoundsTheConnectionsOfAUserByTheInstancesItRuns) {
  for (const std::size_t instances : {1U, 2U}) {
    std::vector<WriterUser> users{{"vaultd", ::geteuid()}, {"authd", ::geteuid()}};
    users.resize(instances);
    auto auditd = start(users);
    std::vector<std::unique_ptr<async::LocalSocket>> welcomed;
    for (std::size_t i = 0; i < 3 * kConnectionsPerInstanceMax; ++i) {
      loop_.run_until_done(connect_and_wait(loop_, socket_, "vaultd", welcomed));
    }
    EXPECT_EQ(welcomed.size(), instances * kConnectionsPerInstanceMax);
    stop(auditd);
  }
}

TEST_F(AuditdTest, AdminSocketSignsOnDemand) {
  auto auditd = start();
  http::Router router;
  Auditd* serving = auditd.get();
  add_admin_routes(router, [&serving] { return serving; });
  http::Head head;
  head.method = http::Method::post;
  head.path = "/v1/checkpoints";
  for (const bool local : {true, false}) {
    const http::Peer peer{
        .identity = {}, .source = "unix", .uid = local ? std::optional(::geteuid()) : std::nullopt};
    http::Request request(head, {}, peer, "0123456789abcdef0123456789abcdef");
    const http::Response response = loop_.run_until_done(router.dispatch(request));
    EXPECT_EQ(response.status, local ? 200 : 403);
    EXPECT_EQ(response.body.starts_with(R"({"signed":)"), local);
  }
  serving = nullptr;  // the journal is still being read
  const http::Peer peer{.identity = {}, .source = "unix", .uid = ::geteuid()};
  http::Request request(head, {}, peer, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(loop_.run_until_done(router.dispatch(request)).status, 503);
  stop(auditd);
}

}  // namespace
}  // namespace strongroom::auditd

// A log and its witness, from one year into the next and over a break: what auditd signs and hands
// in is what the witness takes, named to it once, and what it answers is what auditd believes. And
// what audit-relay asks the witness for is what tells auditd that the year before was cut back.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "audit/cosignature.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/submission.h"
#include "audit/testing/golden.h"
#include "audit/witness.h"
#include "auditd/admin_routes.h"
#include "auditd/testing/auditd_fixture.h"
#include "connected/relay/log_watch.h"
#include "connected/relay/witnesses.h"
#include "http/server.h"
#include "witness/routes.h"
#include "witness/witness.h"

namespace strongroom::auditd {
namespace {

constexpr std::string_view kName = "witness.example/w1";

class SetClock final : public Clock {
 public:
  void set(std::string_view time) { now_us_ = *parse_rfc3339(time); }
  [[nodiscard]] std::int64_t now_us() const override { return now_us_; }

 private:
  std::int64_t now_us_ = *parse_rfc3339("2026-12-31T23:59:00.000Z");
};

class WitnessContractTest : public AuditdTest {
 protected:
  WitnessContractTest() : witness_folder_(folder_ + "/witness") {
    witnesses_ = {{std::string(kName), audit::testing::witness_signer().public_key(),
                   audit::NoteKeyType::cosignature}};
    fs::create_directories(witness_folder_ + "/etc");
    fs::create_directories(witness_folder_ + "/state");
    std::ofstream(witness::state_lock_path(witness_folder_)).flush();
    const audit::NoteKey key{"test.example/auditd/operator/2026", test_signer().public_key()};
    std::ofstream(witness::known_logs_path(witness_folder_)) << "log " << key.text() << "\n";
    auto opened = witness::Witness::open(witness_folder_, std::string(kName),
                                         audit::testing::witness_signer(), set_clock_);
    SR_CHECK(opened.has_value());
    witness_.emplace(*std::move(opened));
    auto store = Store::open(files_, set_clock_, random_, store_options(), test_signer());
    SR_CHECK(store.has_value());
    store_.emplace(*std::move(store));
  }

  // auditd's part of a minute at `time`: an entry, and a checkpoint of it.
  void grow(std::string_view time) {
    set_clock_.set(time);
    store_->ledger->record_own({.event_type = audit::EventType::log_start});
    publish();
  }
  void publish() {
    auto grown = store_->ledger->take_grown(0);
    EXPECT_TRUE(store_->checkpoints.publish(grown));
  }
  // audit-relay's part: the answer's status, after a first try from `old_size`.
  int hand_in(std::uint64_t old_size) {
    const std::string log = audit::newest_operators_log(files_, directory()).value();
    auto reader = audit::LogReader::open(files_, directory(), log).value();
    const auto submission = audit::make_submission(reader, old_size).value();
    const witness::Answer answer = witness_->add_checkpoint(submission.body);
    if (answer.status != 200) return answer.status;
    const std::string note = audit::with_cosignatures(submission.note, answer.body).value();
    testimony_ = store_->witnessed.take_note(note, store_->checkpoints.last_signed());
    return answer.status;
  }
  std::string directory() const { return folder_ + "/audit"; }

  std::string witness_folder_;
  SetClock set_clock_;
  std::optional<witness::Witness> witness_;
  std::optional<Store> store_;
  std::optional<Result<Heard>> testimony_;
};

TEST_F(WitnessContractTest, AYearBeginsWithoutAWordToTheWitness) {
  grow("2026-12-31T23:59:30.000Z");
  ASSERT_EQ(hand_in(0), 200);
  EXPECT_EQ(testimony_->value().testimony, Testimony::witnessed);
  grow("2027-01-01T00:00:01.000Z");
  ASSERT_EQ(audit::newest_operators_log(files_, directory()).value(), "operator-2027");
  ASSERT_EQ(hand_in(0), 200);
  EXPECT_EQ(testimony_->value().testimony, Testimony::witnessed);
  EXPECT_EQ(store_->witnessed.newest()->log, "operator-2027");
  EXPECT_EQ(hand_in(0), 409) << "and is remembered";
  grow("2027-01-01T00:00:02.000Z");
  EXPECT_EQ(hand_in(2), 200);
}

TEST_F(WitnessContractTest, ABreakBeginsLogsThatTheWitnessTakes) {
  grow("2026-11-22T15:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  set_clock_.set("2026-11-22T16:00:00.000Z");
  const auto broken_at = store_->ledger->open_new_shards("restored from a copy", "uid:0");
  ASSERT_TRUE(broken_at);
  publish();
  ASSERT_TRUE(store_->witnessed.settle(*broken_at));
  EXPECT_FALSE(store_->witnessed.newest());
  ASSERT_EQ(hand_in(0), 200);
  EXPECT_EQ(testimony_->value().testimony, Testimony::witnessed);
  EXPECT_EQ(store_->witnessed.newest()->log, "operator-2026b20261122T160000Z");
}

constexpr std::string_view kOldYear = "test.example/auditd/operator/2026";
constexpr std::string_view kNewYear = "test.example/auditd/operator/2027";

class WitnessRelayTest : public WitnessContractTest {
 protected:
  ~WitnessRelayTest() override {
    if (auditd_) stop(auditd_);
  }

  // From a copy of DIR/audit, where one is named.
  void start_auditd(std::string_view time, const std::string& copy = {}) {
    if (auditd_) stop(auditd_);
    store_.reset();
    if (!copy.empty()) {
      fs::remove_all(directory());
      fs::copy(folder_ + "/" + copy, directory(), fs::copy_options::recursive);
    }
    set_clock_.set(time);
    auto store = Store::open(files_, set_clock_, random_, store_options(), test_signer());
    SR_CHECK(store.has_value());
    auto started =
        Auditd::start(loop_, *std::move(store), metrics_, {.socket_path = socket_, .users = {}});
    SR_CHECK(started.has_value());
    auditd_ = *std::move(started);
    SR_CHECK(loop_.run_until_done(auditd_->checkpoint_now()).has_value());
  }
  void copy_to(const std::string& name) {
    fs::copy(directory(), folder_ + "/" + name, fs::copy_options::recursive);
  }

  std::unique_ptr<http::Server> serve(const std::string& path, http::Router& router) {
    auto listener = http::UnixListener::open(path);
    SR_CHECK(listener.has_value());
    return http::Server::serve_unix(loop_, *std::move(listener), {::geteuid()}, router, {});
  }
  // audit-relay's client, from its start until auditd knows where it stands, and a little longer.
  void relay() {
    const std::string of_witness = folder_ + "/of-witness";
    const std::string of_auditd = folder_ + "/of-auditd";
    http::Router witness_routes;
    http::Router auditd_routes;
    add_witness_routes_(witness_routes);
    add_witness_route(auditd_routes, [this] { return auditd_.get(); });
    const auto witness_serves = serve(of_witness, witness_routes);
    const std::string of_other = folder_ + "/of-other";
    http::Router other_routes;
    if (add_other_witness_) add_other_witness_(other_routes);
    const auto other_serves = serve(of_other, other_routes);
    const auto auditd_serves = serve(of_auditd, auditd_routes);
    Registry metrics;
    async::BlockingPool pool{1, 16};
    connected::relay::LogWatch watch({.loop = loop_,
                                      .pool = pool,
                                      .files = files_,
                                      .clock = set_clock_,
                                      .directory = directory(),
                                      .metrics = {.checkpoint_age_seconds = metrics.gauge("a", "-"),
                                                  .bytes_free = metrics.gauge("b", "-")},
                                      .pause = 5ms});
    const http::ClientOptions to_auditd{.host = "auditd", .unix_path = of_auditd};
    connected::relay::Witnesses::Clients clients;
    const auto add_client = [&](const std::string& name, const std::string& path) {
      clients.push_back(std::make_unique<connected::relay::WitnessClient>(
          connected::relay::WitnessClient::Parts{.loop = loop_,
                                                 .pool = pool,
                                                 .files = files_,
                                                 .directory = directory(),
                                                 .place = "test.example/auditd",
                                                 .watch = watch,
                                                 .failing = metrics.gauge("c", "-", {{"w", name}}),
                                                 .name = name,
                                                 .witness = {.host = name, .unix_path = path},
                                                 .auditd = to_auditd,
                                                 .pause = 5ms,
                                                 .asking_max = asking_max_}));
    };
    add_client("w1", of_witness);
    if (add_other_witness_) add_client("w2", of_other);
    connected::relay::Witnesses witnesses({.loop = loop_,
                                           .pool = pool,
                                           .files = files_,
                                           .directory = directory(),
                                           .watch = watch,
                                           .auditd = to_auditd,
                                           .pause = 5ms},
                                          std::move(clients));
    int running = 2;
    const auto run = [&running](auto& part) -> Task<void> {
      co_await part.run();
      --running;
    };
    const auto scenario = [&]() -> Task<void> {
      async::spawn(run(watch));
      async::spawn(run(witnesses));
      const auto end = std::chrono::steady_clock::now() + 10s;
      while (!auditd_->rolled_back() && !auditd_->unwitnessed().empty() &&
             std::chrono::steady_clock::now() < end) {
        co_await loop_.sleep_for(5ms);
        if (grows_meanwhile_) co_await grow_once();
      }
      const auto grown = co_await auditd_->checkpoint_now();
      EXPECT_TRUE(grown);
      co_await loop_.sleep_for(500ms);
      for (const auto& client : witnesses.clients()) causes_[client->name()] = client->cause();
      witnesses.stop();
      watch.stop();
      while (running > 0) co_await loop_.sleep_for(5ms);
      co_await witness_serves->drain(1s);
      co_await other_serves->drain(1s);
      co_await auditd_serves->drain(1s);
    };
    loop_.run_until_done(scenario());
  }
  bool has_seen(std::string_view origin) const {
    return witness_->checkpoint(witness::origin_hash(origin)).has_value();
  }

  std::unique_ptr<Auditd> auditd_;
  std::function<void(http::Router&)> add_witness_routes_ = [this](http::Router& router) {
    witness::add_routes(router, *witness_);
  };
  std::function<void(http::Router&)> add_other_witness_;  // asked beside the first, where set
  // An entry of auditd's own.
  Task<void> grow_once() {
    auditd_->record_reload(true, {});
    co_await loop_.sleep_for(50ms);
    const auto grown = co_await auditd_->checkpoint_now();
    EXPECT_TRUE(grown);
  }
  bool grows_meanwhile_ = false;
  std::chrono::milliseconds asking_max_ = 30s;
  std::map<std::string, std::string> causes_;  // why each was of no use, as relay() ended
};

using Answering = std::function<http::Response(const http::Request&)>;

void add_answers(http::Router& router, http::Method method, std::string_view pattern,
                 Answering answer) {
  http::Route route{
      .method = method,
      .pattern = pattern,
      .identities = {http::kAnyone},
      .handler = [answer = std::move(answer)](http::Request& request) -> Task<http::Response> {
        co_return answer(request);
      }};
  if (method == http::Method::post) route.body_bytes_max = std::size_t{32} << 10;
  router.add(std::move(route));
}

http::Response plain(int status, std::string body) {
  return {.status = status, .content_type = "text/plain", .headers = {}, .body = std::move(body)};
}

// Cosigns whatever it is handed, with the key of that number and a clock so far ahead.
std::function<void(http::Router&)> cosigner(const Clock& clock, std::string name, unsigned number,
                                            std::int64_t ahead_s) {
  return [&clock, name = std::move(name), number, ahead_s](http::Router& router) {
    add_answers(router, http::Method::post, "/add-checkpoint", [=, &clock](const auto& request) {
      const auto asked = audit::parse_add_checkpoint(as_text(request.body()));
      SR_CHECK(asked.has_value());
      return plain(200, audit::cosign(asked->note.text, clock.now_us() / 1'000'000 + ahead_s, name,
                                      audit::testing::signer_of(number)));
    });
  };
}

// The copy's log goes on in a shard of its own, which a witness takes from its beginning.
TEST_F(WitnessRelayTest, ANewYearDoesNotHideThatTheOldOneWasCutBack) {
  grow("2026-12-30T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  copy_to("older");
  grow("2026-12-31T00:00:00.000Z");
  ASSERT_EQ(hand_in(1), 200);
  copy_to("newer");

  start_auditd("2027-01-01T00:00:01.000Z", "older");
  ASSERT_EQ(audit::newest_operators_log(files_, directory()).value(), "operator-2027");
  relay();
  ASSERT_TRUE(auditd_->rolled_back());
  EXPECT_EQ(auditd_->rolled_back()->origin, kOldYear);
  EXPECT_EQ(auditd_->rolled_back()->size, 2U);
  EXPECT_FALSE(has_seen(kNewYear)) << "a true copy begins that log otherwise";

  start_auditd("2027-01-01T00:00:05.000Z", "newer");
  relay();
  EXPECT_FALSE(auditd_->rolled_back());
  EXPECT_TRUE(has_seen(kNewYear));
}

TEST_F(WitnessRelayTest, ABreakSettlesWhatTheOldYearLacks) {
  grow("2026-12-30T00:00:00.000Z");
  copy_to("older");
  grow("2026-12-31T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  start_auditd("2027-01-01T00:00:01.000Z", "older");
  relay();
  ASSERT_TRUE(auditd_->rolled_back());
  ASSERT_TRUE(loop_.run_until_done(auditd_->open_new_shards("copy put back", "uid:0")));
  relay();
  EXPECT_FALSE(auditd_->rolled_back());
  EXPECT_TRUE(has_seen("test.example/auditd/operator/2027b20270101T000001Z"));
}

// A store that goes on from a copy of before a log began does not know that log.
TEST_F(WitnessRelayTest, AYearThatIsMissingWholeIsFound) {
  grow("2026-12-30T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  copy_to("older");
  grow("2027-06-01T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  copy_to("newer");

  start_auditd("2028-01-01T00:00:01.000Z", "older");
  relay();
  ASSERT_TRUE(auditd_->rolled_back());
  EXPECT_EQ(auditd_->rolled_back()->origin, kNewYear);
  EXPECT_FALSE(has_seen("test.example/auditd/operator/2028"));

  start_auditd("2028-01-01T00:00:05.000Z", "newer");
  relay();
  EXPECT_FALSE(auditd_->rolled_back());
  EXPECT_TRUE(has_seen("test.example/auditd/operator/2028"));
}

// Whatever is known here comes after what is not.
TEST_F(WitnessRelayTest, AStoreThatBeganAnewIsFound) {
  copy_to("empty");
  grow("2026-12-30T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  start_auditd("2027-01-01T00:00:01.000Z", "empty");
  relay();
  ASSERT_TRUE(auditd_->rolled_back());
  EXPECT_EQ(auditd_->rolled_back()->origin, kOldYear);
}

TEST_F(WitnessRelayTest, ABreaksLogThatIsMissingWholeIsFoundAndSettledByTheNextBreak) {
  grow("2026-12-30T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  copy_to("older");
  set_clock_.set("2026-12-30T01:00:00.000Z");
  const auto broken_at = store_->ledger->open_new_shards("restored from a copy", "uid:0");
  ASSERT_TRUE(broken_at);
  publish();
  ASSERT_TRUE(store_->witnessed.settle(*broken_at));
  ASSERT_EQ(hand_in(0), 200);
  const std::string lost = "test.example/auditd/operator/2026b20261230T010000Z";
  ASSERT_TRUE(has_seen(lost));

  start_auditd("2026-12-30T02:00:00.000Z", "older");
  relay();
  ASSERT_TRUE(auditd_->rolled_back());
  EXPECT_EQ(auditd_->rolled_back()->origin, lost);
  ASSERT_TRUE(loop_.run_until_done(auditd_->open_new_shards("only an older copy left", "uid:0")));
  for (const char* later : {"2026-12-30T03:00:00.000Z", "2027-01-01T00:00:01.000Z"}) {
    relay();
    EXPECT_FALSE(auditd_->rolled_back()) << "a log that was given up stops nothing, " << later;
    start_auditd(later);
  }
  EXPECT_TRUE(has_seen("test.example/auditd/operator/2026b20261230T020000Z"));
}

// A witness may know logs of the same name that others' keys sign, from before a key was changed.
TEST_F(WitnessRelayTest, ALogThatAnotherKeySignedIsNotMissed) {
  const audit::NoteKey other{"test.example/auditd/operator/2025",
                             audit::testing::signer_of(9).public_key()};
  std::ofstream(witness::known_logs_path(witness_folder_), std::ios::app)
      << "log " << other.text() << "\n";
  const std::string note =
      audit::sign_checkpoint({other.name, 7, audit::Hash{}}, audit::testing::signer_of(9));
  ASSERT_EQ(witness_->add_checkpoint(audit::add_checkpoint_body(0, {}, note)).status, 200);
  grow("2026-12-31T00:00:00.000Z");
  start_auditd("2027-01-01T00:00:01.000Z");
  relay();
  EXPECT_FALSE(auditd_->rolled_back());
  EXPECT_TRUE(has_seen(kNewYear));
}

// One that is not ours has no such path.
TEST_F(WitnessRelayTest, AWitnessThatDoesNotSayWhatComesNextIsOfUse) {
  grow("2026-12-31T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  start_auditd("2027-01-01T00:00:01.000Z");
  add_witness_routes_ = [this](http::Router& router) {
    http::Route add{.method = http::Method::post,
                    .pattern = "/add-checkpoint",
                    .identities = {http::kAnyone},
                    .body_bytes_max = std::size_t{32} << 10,
                    .handler = [this](http::Request& request) -> Task<http::Response> {
                      witness::Answer answer = witness_->add_checkpoint(as_text(request.body()));
                      co_return http::Response{.status = answer.status,
                                               .content_type = answer.content_type,
                                               .headers = {},
                                               .body = std::move(answer.body)};
                    }};
    router.add(std::move(add));
  };
  relay();
  EXPECT_TRUE(has_seen(kNewYear));
  EXPECT_EQ(auditd_->unwitnessed(), "");
}

TEST_F(WitnessRelayTest, AWitnessThatAnswersForAnotherDoesNotKeepItUnheard) {
  int answers = 0;
  add_other_witness_ = [this, &answers](http::Router& router) {
    http::Route add{.method = http::Method::post,
                    .pattern = "/add-checkpoint",
                    .identities = {http::kAnyone},
                    .body_bytes_max = std::size_t{32} << 10,
                    .handler = [this, &answers](http::Request&) -> Task<http::Response> {
                      ++answers;
                      const std::vector<std::byte> forged(8 + 64, std::byte{1});
                      co_return http::Response{
                          .status = 200,
                          .content_type = "text/plain",
                          .headers = {},
                          .body = audit::signature_line(witnesses_.front(), forged)};
                    }};
    router.add(std::move(add));
  };
  grow("2026-12-31T00:00:00.000Z");
  start_auditd("2026-12-31T00:00:01.000Z");
  relay();
  EXPECT_EQ(auditd_->unwitnessed(), "");
  EXPECT_GT(answers, 0);
}

class WorthlessTest : public WitnessRelayTest {
 protected:
  static constexpr std::string_view kSecond = "witness.example/w2";

  void expect_second_to_fail(unsigned number, std::int64_t ahead_s) {
    witnesses_.push_back({std::string(kSecond), audit::testing::signer_of(2).public_key(),
                          audit::NoteKeyType::cosignature});
    add_other_witness_ = cosigner(set_clock_, std::string(kSecond), number, ahead_s);
    grow("2026-12-31T00:00:00.000Z");
    start_auditd("2026-12-31T00:00:01.000Z");
    relay();
    EXPECT_EQ(auditd_->unwitnessed(), "");
    EXPECT_EQ(causes_["w1"], "");
    EXPECT_TRUE(causes_["w2"].starts_with("auditd takes no cosignature")) << causes_["w2"];
  }
};

TEST_F(WorthlessTest, AWitnessOfAnotherKeyIsNotOfUseBesideOneThatIs) {
  expect_second_to_fail(3, 0);
}

TEST_F(WorthlessTest, AWitnessWhoseClockIsAheadIsNotOfUseBesideOneThatIs) {
  expect_second_to_fail(2, kClocksDifferMaxS + 60);
}

TEST_F(WitnessRelayTest, BothOfTwoWitnessesAreOfUse) {
  const std::string second = "witness.example/w2";
  witnesses_.push_back(
      {second, audit::testing::signer_of(2).public_key(), audit::NoteKeyType::cosignature});
  add_other_witness_ = cosigner(set_clock_, second, 2, 0);
  grow("2026-12-31T00:00:00.000Z");
  start_auditd("2026-12-31T00:00:01.000Z");
  relay();
  EXPECT_EQ(causes_, (std::map<std::string, std::string>{{"w1", ""}, {"w2", ""}}));
}

// What it cannot tell at first may be the log that is missing.
TEST_F(WitnessRelayTest, AWitnessThatFailsToSayWhatComesNextIsAskedAgain) {
  grow("2026-12-30T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  copy_to("older");
  grow("2027-06-01T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  for (const http::Response& failure : {plain(503, "later\n"), plain(200, "no checkpoint\n")}) {
    int asked = 0;
    add_witness_routes_ = [&](http::Router& router) {
      add_answers(router, http::Method::post, "/add-checkpoint", [&](const auto& request) {
        witness::Answer answer = witness_->add_checkpoint(as_text(request.body()));
        return plain(answer.status, std::move(answer.body));
      });
      add_answers(router, http::Method::get, "/next-checkpoint", [&](const auto& request) {
        if (++asked <= 2) return plain(failure.status, failure.body);
        const auto note = witness_->checkpoint_after(request.query_parameter("after").value());
        return note ? plain(200, *note) : plain(404, "none\n");
      });
    };
    start_auditd("2028-01-01T00:00:01.000Z", "older");
    relay();
    EXPECT_TRUE(auditd_->rolled_back()) << failure.body;
    EXPECT_FALSE(has_seen("test.example/auditd/operator/2028"));
    EXPECT_GT(asked, 2);
  }
}

// It tells of one log after the other that another key signs, and takes its time.
class SlowLiarTest : public WitnessRelayTest {
 protected:
  SlowLiarTest() {
    add_other_witness_ = [this](http::Router& router) {
      router.add({.method = http::Method::get,
                  .pattern = "/next-checkpoint",
                  .identities = {http::kAnyone},
                  .handler = [this](http::Request&) -> Task<http::Response> {
                    co_await loop_.sleep_for(20ms);
                    const std::string origin =
                        "test.example/auditd/operator/" + std::to_string(1'000 + ++asked_);
                    co_return plain(200, audit::sign_checkpoint({origin, 7, audit::Hash{}},
                                                                audit::testing::signer_of(9)));
                  }});
    };
    grow("2026-12-31T00:00:00.000Z");
    start_auditd("2026-12-31T00:00:01.000Z");
  }
  int asked_ = 0;
};

TEST_F(SlowLiarTest, FailsWhenItsTimeIsOver) {
  asking_max_ = 100ms;
  relay();
  EXPECT_EQ(auditd_->unwitnessed(), "");
  EXPECT_EQ(causes_["w2"], "witness takes too long to tell of the operator's other logs");
}

TEST_F(SlowLiarTest, DoesNotHoldUpTheStop) {
  relay();
  EXPECT_EQ(causes_["w2"], "") << "it is still being asked";
  EXPECT_GT(asked_, 0);
  EXPECT_LT(asked_, 200);
}

// The log that the clock began is the newest by its name, but grows no more.
TEST_F(WitnessRelayTest, AClockThatRanIntoTheNextYearBlindsNoWitness) {
  grow("2026-12-10T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  grow("2027-01-01T00:00:01.000Z");
  start_auditd("2026-12-10T00:00:05.000Z");
  ASSERT_EQ(audit::newest_operators_log(files_, directory()).value(), "operator-2027");
  grows_meanwhile_ = true;
  relay();
  EXPECT_EQ(auditd_->unwitnessed(), "");
  EXPECT_EQ(causes_["w1"], "");
  const auto seen =
      audit::read_checkpoint(witness_->checkpoint(witness::origin_hash(kOldYear)).value());
  EXPECT_GT(seen->size, 2U);
}

TEST_F(WitnessRelayTest, ALogOfTheNextYearThatNobodyHasSeenIsUnwitnessed) {
  for (int i = 0; i < 5; ++i) grow("2026-12-31T21:00:00.000Z");
  start_auditd("2026-12-31T22:00:00.000Z");
  relay();
  ASSERT_EQ(auditd_->unwitnessed(), "");
  set_clock_.set("2027-01-01T02:00:00.000Z");
  EXPECT_EQ(auditd_->unwitnessed(), "") << "old, but of all there is";
  loop_.run_until_done(grow_once());
  ASSERT_EQ(audit::newest_operators_log(files_, directory()).value(), "operator-2027");
  EXPECT_EQ(auditd_->unwitnessed(), "unwitnessed since 2026-12-31T22:00:00.000Z");
}

TEST_F(WitnessRelayTest, AWholeStoreGoesIntoTheNextYear) {
  grow("2026-12-30T00:00:00.000Z");
  ASSERT_EQ(hand_in(0), 200);
  grow("2026-12-31T00:00:00.000Z");  // more than the witness saw
  start_auditd("2027-01-01T00:00:01.000Z");
  relay();
  EXPECT_FALSE(auditd_->rolled_back());
  EXPECT_TRUE(has_seen(kNewYear));
}

TEST_F(WitnessRelayTest, AWitnessThatHasNotSeenTheOldYearTakesTheNewOne) {
  grow("2026-12-31T00:00:00.000Z");
  start_auditd("2027-01-01T00:00:01.000Z");
  relay();
  EXPECT_FALSE(auditd_->rolled_back());
  EXPECT_FALSE(has_seen(kOldYear));
  EXPECT_TRUE(has_seen(kNewYear));
}

}  // namespace
}  // namespace strongroom::auditd

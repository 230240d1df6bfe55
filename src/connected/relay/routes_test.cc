// audit-relay's routes: who may see which log, what he gets, and that it is recorded.
#include "connected/relay/routes.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deque>

#include "audit/proof_file.h"
#include "audit/testing/memory_recorder.h"
#include "base/encoding.h"
#include "connected/relay/testing/relay_fixture.h"

namespace strongroom::connected::relay {
namespace {

namespace json = boost::json;
using audit::EventType;
using audit::Outcome;

http::TicketSigner make_signer(crypto::Random& random) {
  auto signer = http::TicketSigner::create(*crypto::random_secret(random, 32), "test-key");
  SR_CHECK(signer.has_value());
  return *std::move(signer);
}

class RoutesTest : public testing::RelayTest {
 protected:
  RoutesTest()
      : signer_(make_signer(random_)),
        verifier_(*http::TicketVerifier::create(signer_.public_key_line(), clock_)),
        denials_(loop_, recorder_, random_, clock_) {
    services_.set_ticket_verifier(verifier_);
    const RouteParts parts{.serving = serving_,
                           .stopping = stopping_,
                           .loop = loop_,
                           .pool = pool_,
                           .logs = logs_,
                           .watch = *watch_,
                           .shares = shares_,
                           .turns = turns_,
                           .index = *index_,
                           .indexer = *indexer_,
                           .recorder = recorder_,
                           .denials = denials_,
                           .random = random_,
                           .clock = clock_,
                           .patience = std::chrono::hours(1)};
    add_service_routes(services_, parts);
    add_operator_routes(operators_, parts);
    auto first = folder_.entry("mer_1");
    first.gateway_token = "tok_a";
    entries_ =
        folder_.append({first, folder_.entry("mer_1"), folder_.entry("mer_2"), folder_.entry("")});
    follow();
  }
  ~RoutesTest() override { wait(denials_.close()); }

  std::string ticket(std::string merchant, std::vector<std::string> scopes) {
    const std::int64_t now_s = clock_.now_us() / 1'000'000;
    return *signer_.sign({.subject = "key_9",
                          .merchant = std::move(merchant),
                          .role = "merchant_user",
                          .scopes = std::move(scopes),
                          .issued_at_s = now_s,
                          .expires_at_s = now_s + 60});
  }
  static http::Head head_of(std::string_view target) {
    const std::size_t mark = std::min(target.find('?'), target.size());
    return {.path = target.substr(0, mark),
            .query = target.substr(std::min(mark + 1, target.size())),
            .fields = {}};
  }
  http::Response get(std::string_view target, std::string merchant = "mer_1",
                     std::vector<std::string> scopes = {"audit:read"}) {
    const std::string text = ticket(std::move(merchant), std::move(scopes));
    http::Head head = head_of(target);
    head.fields = {{"Strongroom-Ticket", text}, {"Strongroom-Source", "192.0.2.7"}};
    const http::Peer edge{.identity = "edged", .source = "127.0.0.1"};
    http::Request request(head, {}, edge, "req");
    return wait(services_.dispatch(request));
  }
  http::Response as_operator(std::string_view target, http::Method method = http::Method::get) {
    http::Head head = head_of(target);
    head.method = method;
    const http::Peer peer{.source = "unix", .uid = 1000};
    http::Request request(head, {}, peer, "req");
    return wait(operators_.dispatch(request));
  }
  // Appends in one group, and has watch and index take them.
  std::vector<std::string> append_and_follow(const std::vector<audit::Entry>& entries) {
    std::vector<std::string> texts;
    if (!entries.empty()) texts = folder_.append(entries);
    close();
    open();
    follow();
    return texts;
  }
  // "404 not-found"
  static std::string problem_of(const http::Response& response) {
    const json::value body = json::parse(response.body);
    const json::value* const type = body.as_object().if_contains("type");
    const std::string urn(type == nullptr ? "" : type->as_string());
    return fmt::format("{} {}", response.status, urn.substr(urn.rfind(':') + 1));
  }
  // What a proof file, verified with the entry and the key of the owner's log, shows: "1 of 2".
  static std::string shown_by(const json::value& proof, std::string_view entry,
                              std::string_view owner) {
    const auto file = audit::parse_proof_file(std::string_view(proof.as_string()));
    const auto key =
        audit::NoteVerifier::create({.name = fmt::format("test.example/auditd/{}/2026", owner),
                                     .public_key = audit::testing::golden_signer().public_key()});
    const auto checkpoint = audit::verify_proof_file(file.value(), as_bytes(entry), key.value());
    return fmt::format("{} of {}", file->index, checkpoint.value().size);
  }
  static json::array data_of(const http::Response& response) {
    return json::parse(response.body).as_object().at("data").as_array();
  }

  crypto::SystemRandom random_;
  audit::testing::MemoryRecorder recorder_;
  http::TicketSigner signer_;
  http::TicketVerifier verifier_;
  audit::Denials denials_;
  LogFiles logs_{folder_.files(), folder_.directory()};
  http::Shares shares_{kRequestsPerMerchantMax};
  Turns turns_{loop_};
  bool serving_ = true;
  bool stopping_ = false;
  http::Router services_;
  http::Router operators_;
  std::vector<std::string> entries_;
};

TEST_F(RoutesTest, AMerchantSeesItsOwnLogsAndThePlatformAll) {
  const auto own = data_of(get("/v1/audit/logs"));
  ASSERT_EQ(own.size(), 1);
  EXPECT_EQ(own[0].as_object().at("owner").as_string(), "mer_1");
  EXPECT_EQ(own[0].as_object().at("shard").as_string(), "2026");
  EXPECT_EQ(own[0].as_object().at("size").as_int64(), 2);
  EXPECT_EQ(data_of(get("/v1/audit/logs", "", {"audit:read-all"})).size(), 3);
}

TEST_F(RoutesTest, OperatorsSeeHowFarTheIndexIs) {
  const auto logs = data_of(as_operator("/v1/index"));
  ASSERT_EQ(logs.size(), 3);
  EXPECT_EQ(json::serialize(logs[0]),
            R"({"object":"indexed_log","log":"mer_1-2026","entries":2,"unread":0})");
  EXPECT_EQ(get("/v1/index").status, 404);
}

TEST_F(RoutesTest, WhoeverHasNoMerchantSeesAllByItsOwnScopeAlone) {
  for (const char* path : {"logs", "logs/mer_1/2026/checkpoint", "entries"}) {
    EXPECT_EQ(get(fmt::format("/v1/audit/{}", path), "").status, 403) << path;
    EXPECT_EQ(get(fmt::format("/v1/audit/{}", path), "", {"audit:read-all"}).status, 200) << path;
    EXPECT_EQ(get(fmt::format("/v1/audit/{}", path), "mer_1", {"audit:read-all"}).status, 403);
  }
}

TEST_F(RoutesTest, TheTreeIsServedAsTheFormatsSay) {
  const auto checkpoint = get("/v1/audit/logs/mer_1/2026/checkpoint");
  EXPECT_EQ(checkpoint.status, 200);
  EXPECT_EQ(checkpoint.content_type, "text/plain; charset=utf-8");
  EXPECT_TRUE(checkpoint.body.starts_with("test.example/auditd/mer_1/2026\n2\n"));
  EXPECT_TRUE(checkpoint.headers.empty());
  const auto tile = get("/v1/audit/logs/mer_1/2026/tile/0/000.p/2");
  EXPECT_EQ(tile.status, 200);
  EXPECT_EQ(tile.content_type, "application/octet-stream");
  EXPECT_EQ(tile.body.size(), 64);
  ASSERT_EQ(tile.headers.size(), 1);
  EXPECT_EQ(tile.headers[0].second, "private, max-age=31536000, immutable");
  EXPECT_EQ(get("/v1/audit/logs/mer_1/2026/tile/entries/000.p/2").body.size(),
            4 + entries_[0].size() + entries_[1].size());
  for (const char* absent : {"tile/0/000", "tile/0/000.p/3", "tile/0/001.p/1", "tile/1/000.p/1",
                             "tile/0/0", "tile/8/0/000", "tile", "tilex"}) {
    EXPECT_EQ(get(fmt::format("/v1/audit/logs/mer_1/2026/{}", absent)).status, 404) << absent;
  }
}

TEST_F(RoutesTest, AProofIsAProofFile) {
  const auto proof = get("/v1/audit/logs/mer_1/2026/proof/1");
  ASSERT_EQ(proof.status, 200);
  const auto file = audit::parse_proof_file(proof.body);
  ASSERT_TRUE(file);
  const auto key =
      audit::NoteVerifier::create({.name = "test.example/auditd/mer_1/2026",
                                   .public_key = audit::testing::golden_signer().public_key()});
  EXPECT_TRUE(audit::verify_proof_file(*file, as_bytes(entries_[1]), *key));
  stopping_ = true;  // nobody waits
  EXPECT_EQ(get("/v1/audit/logs/mer_1/2026/proof/2").status, 404);
  EXPECT_EQ(get("/v1/audit/logs/mer_1/2026/proof/x").status, 404);
}

TEST_F(RoutesTest, AWitnessedProofHasTheRecordThatTheCosignedLogHolds) {
  const std::string target = "/v1/audit/logs/mer_1/2026/proof/1/witnessed";
  const auto refusal = [&](const char* index = "1") {
    return problem_of(get(fmt::format("/v1/audit/logs/mer_1/2026/proof/{}/witnessed", index)));
  };
  EXPECT_EQ(refusal(), "409 not-witnessed") << "nothing is recorded";
  const std::string record =
      append_and_follow({folder_.record_of("mer_2-2026"), folder_.record_of("mer_1-2026"),
                         folder_.record_of("mer_2-2026"), folder_.entry("mer_1")})[1];
  const auto retry_after = [](const http::Response& response) {
    const auto found = std::ranges::find(response.headers, "Retry-After",
                                         &std::pair<std::string, std::string>::first);
    return found == response.headers.end() ? std::string() : found->second;
  };
  const auto unwitnessed = get(target);
  EXPECT_EQ(problem_of(unwitnessed), "409 not-witnessed") << "nothing is cosigned";
  EXPECT_TRUE(unwitnessed.body.contains("no witness has cosigned any")) << unwitnessed.body;
  EXPECT_EQ(retry_after(unwitnessed), "") << "it may never be";
  folder_.cosign();
  EXPECT_EQ(retry_after(get("/v1/audit/logs/mer_1/2026/proof/2/witnessed")), "60");
  const auto response = get(target);
  ASSERT_EQ(response.status, 200);
  const auto answer = json::parse(response.body).as_object();
  EXPECT_EQ(answer.at("object").as_string(), "witnessed_proof");
  EXPECT_EQ(answer.at("entry").as_string(), entries_[1]);
  EXPECT_EQ(shown_by(answer.at("proof"), entries_[1], "mer_1"), "1 of 2");
  const auto& told = answer.at("record").as_object();
  EXPECT_EQ(told.at("entry").as_string(), record);
  EXPECT_EQ(shown_by(told.at("proof"), record, "operator"), "2 of 4");
  EXPECT_TRUE(told.at("proof").as_string().ends_with(audit::testing::kWitnessLine));
  EXPECT_FALSE(response.body.contains("mer_2"));
  EXPECT_EQ(recorder_.entries.back().resources,
            (std::vector<std::string>{"mer_1-2026", "entry 1"}));

  EXPECT_EQ(refusal("2"), "409 not-witnessed") << "it came after the record";
  const auto later = append_and_follow({folder_.record_of("mer_1-2026", 2)});
  EXPECT_EQ(refusal("2"), "409 not-witnessed") << "the record came after the cosignature";
  EXPECT_EQ(get(target).body, response.body);
  folder_.cosign();
  EXPECT_EQ(json::parse(get(target).body).at("record").at("entry").as_string(), later[0]);
  EXPECT_EQ(refusal("3"), "404 not-found");
  EXPECT_EQ(refusal("x"), "404 not-found");
  EXPECT_EQ(problem_of(get(target, "mer_2")), "404 not-found");
  EXPECT_EQ(problem_of(get("/v1/audit/logs/operator/2026/proof/0/witnessed")), "404 not-found");
}

TEST_F(RoutesTest, TheOperatorsOwnEntriesAreWitnessedWithoutARecord) {
  folder_.cosign();
  const auto answer =
      json::parse(
          get("/v1/audit/logs/operator/2026/proof/0/witnessed", "", {"audit:read-all"}).body)
          .as_object();
  EXPECT_TRUE(answer.at("record").is_null());
  EXPECT_EQ(shown_by(answer.at("proof"), entries_[3], "operator"), "0 of 1");
}

TEST_F(RoutesTest, ARecordThatCannotBeFoundIsNotSaidToBeNone) {
  const std::string target = "/v1/audit/logs/mer_1/2026/proof/0/witnessed";
  folder_.append({folder_.record_of("mer_1-2026")});
  folder_.sign();
  folder_.cosign();
  EXPECT_EQ(problem_of(get(target)), "503 service-unavailable") << "the index has yet to take it";
  append_and_follow({});
  EXPECT_EQ(get(target).status, 200);
  folder_.append({folder_.entry("")}, true);
  folder_.archive();
  EXPECT_EQ(problem_of(get(target)), "410 entry-archived");
  folder_.restore();
  EXPECT_EQ(get(target).status, 200);
}

TEST_F(RoutesTest, NobodyWaitsForAnEntryThatIsNotAboutToCome) {
  for (const char* index : {"4098", "99999999", "18446744073709551615"}) {
    EXPECT_EQ(get(fmt::format("/v1/audit/logs/mer_1/2026/proof/{}", index)).status, 404) << index;
  }
  EXPECT_EQ(get("/v1/audit/logs/mer_1/2027/proof/4096").status, 404);
}

TEST_F(RoutesTest, AProofWaitsForTheCheckpointToCome) {
  const auto scenario = [&]() -> async::Task<void> {
    folder_.append({folder_.entry("mer_1")});
    co_await loop_.sleep_for(std::chrono::milliseconds(30));
    folder_.sign();
  };
  async::spawn(scenario());
  EXPECT_EQ(get("/v1/audit/logs/mer_1/2026/proof/2").status, 200);
}

// A request that waits, for a test that goes on meanwhile.
struct Waiting {
  std::string ticket;
  http::Head head;
  http::Peer peer{.identity = "edged", .source = "127.0.0.1"};
  std::optional<http::Request> request{};
  std::optional<http::Response> response{};
};

async::Task<void> answer(http::Router& router, Waiting& waiting) {
  waiting.response = co_await router.dispatch(*waiting.request);
}

TEST_F(RoutesTest, AMerchantHasAShareOfWhatIsUnderWayAndNoMore) {
  const std::string target = "/v1/audit/logs/mer_1/2026/proof/2";  // not signed for yet
  std::deque<Waiting> waiting(kRequestsPerMerchantMax);
  for (Waiting& one : waiting) {
    one.ticket = ticket("mer_1", {"audit:read"});
    one.head = head_of(target);
    one.head.fields = {{"Strongroom-Ticket", one.ticket}, {"Strongroom-Source", "192.0.2.7"}};
    one.request.emplace(one.head, std::span<std::byte>(), one.peer, "req");
    async::spawn(answer(services_, one));
  }
  const http::Response refused = get(target);
  EXPECT_EQ(problem_of(refused), "429 rate-limited");
  EXPECT_TRUE(std::ranges::any_of(refused.headers, [](const auto& header) {
    return header.first == "Retry-After" && header.second == "1";
  }));
  EXPECT_EQ(get("/v1/audit/logs").status, 429) << "whatever it asks for";
  EXPECT_EQ(get("/v1/audit/logs", "mer_2").status, 200);
  EXPECT_EQ(get("/v1/audit/logs", "", {"audit:read-all"}).status, 200);
  EXPECT_EQ(as_operator("/v1/entries").status, 200);
  EXPECT_TRUE(
      std::ranges::none_of(waiting, [](const Waiting& one) { return one.response.has_value(); }));
  stopping_ = true;
  while (
      !std::ranges::all_of(waiting, [](const Waiting& one) { return one.response.has_value(); })) {
    wait(loop_.sleep_for(std::chrono::milliseconds(2)));
  }
  EXPECT_EQ(get("/v1/audit/logs").status, 200) << "they have ended";
}

TEST_F(RoutesTest, WhoAsksWaitsForNobodyElsesTurn) {
  folder_.append({folder_.record_of("mer_1-2026")});
  append_and_follow({});
  folder_.cosign();
  const std::string search = "/v1/audit/entries";
  const std::string proof = "/v1/audit/logs/mer_1/2026/proof/0/witnessed";
  const auto ask = [&](Waiting& one, const std::string& target, const std::string& merchant) {
    one.ticket = ticket(merchant, {merchant.empty() ? "audit:read-all" : "audit:read"});
    one.head = head_of(target);
    one.head.fields = {{"Strongroom-Ticket", one.ticket}, {"Strongroom-Source", "192.0.2.7"}};
    one.request.emplace(one.head, std::span<std::byte>(), one.peer, "req");
    async::spawn(answer(services_, one));
  };
  for (const std::string owner : {"", "mer_1"}) {
    const std::string other = owner.empty() ? "mer_1" : "";
    std::deque<Waiting> behind(2);
    std::deque<Waiting> past(2);
    {
      std::string whose = owner;
      const Turns::Turn turn = wait(turns_.take(std::move(whose)));
      ask(behind[0], search, owner);
      ask(behind[1], proof, owner);
      ask(past[0], search, other);
      ask(past[1], proof, other);
      EXPECT_EQ(as_operator("/v1/entries").status, 200);
      for (int i = 0; i < 500 && !(past[0].response && past[1].response); ++i) {
        wait(loop_.sleep_for(std::chrono::milliseconds(2)));
      }
      for (const Waiting& one : past) EXPECT_TRUE(one.response && one.response->status == 200);
      for (const Waiting& one : behind) EXPECT_FALSE(one.response);
    }
    while (!std::ranges::all_of(behind, [](const auto& one) { return one.response.has_value(); })) {
      wait(loop_.sleep_for(std::chrono::milliseconds(2)));
    }
  }
}

TEST_F(RoutesTest, AnothersLogIsNotThere) {
  for (const char* path :
       {"mer_2/2026/checkpoint", "mer_2/2026/tile/0/000.p/1", "mer_2/2026/proof/0",
        "operator/2026/checkpoint", "mer_1/2025/checkpoint", "mer_3/2026/checkpoint"}) {
    const auto response = get(fmt::format("/v1/audit/logs/{}", path));
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_FALSE(response.body.contains("mer_2"));
  }
  EXPECT_EQ(get("/v1/audit/logs/mer_2/2026/checkpoint", "", {"audit:read-all"}).status, 200);
  EXPECT_EQ(get("/v1/audit/logs/operator/2026/checkpoint", "", {"audit:read-all"}).status, 200);
}

TEST_F(RoutesTest, WithoutTheScopeNothingIsRead) {
  for (const char* path : {"logs", "logs/mer_1/2026/checkpoint", "entries"}) {
    recorder_.entries.clear();
    EXPECT_EQ(get(fmt::format("/v1/audit/{}", path), "mer_1", {"payments:read"}).status, 403);
    ASSERT_EQ(recorder_.entries.size(), 1) << path;
    EXPECT_EQ(recorder_.entries[0].event_type, EventType::access_denied);
  }
}

TEST_F(RoutesTest, EveryReadingIsRecordedInTheLogThatWasRead) {
  get("/v1/audit/logs/mer_1/2026/checkpoint");
  get("/v1/audit/logs/mer_2/2026/tile/0/000.p/1", "", {"audit:read-all"});
  get("/v1/audit/entries?token=tok_a");
  get("/v1/audit/entries");
  as_operator("/v1/entries");
  ASSERT_EQ(recorder_.entries.size(), 5);
  const audit::Entry& own = recorder_.entries[0];
  EXPECT_EQ(own.event_type, EventType::log_read);
  EXPECT_EQ(own.outcome, Outcome::success);
  EXPECT_EQ(own.user, "key_9");
  EXPECT_EQ(own.source_ip, "192.0.2.7");
  EXPECT_EQ(own.merchant_id, "mer_1");
  EXPECT_EQ(own.request_id, "req");
  EXPECT_EQ(own.resources, (std::vector<std::string>{"mer_1-2026", "checkpoint"}));
  EXPECT_EQ(recorder_.entries[1].merchant_id, "mer_2");  // which sees who read
  EXPECT_EQ(recorder_.entries[2].operation, "GET /v1/audit/entries");
  EXPECT_EQ(recorder_.entries[2].resources, std::vector<std::string>{"tok_a"});
  EXPECT_EQ(recorder_.entries[3].merchant_id, "mer_1");
  EXPECT_EQ(recorder_.entries[3].resources, std::vector<std::string>{"mer_1"});
  EXPECT_EQ(recorder_.entries[4].merchant_id, "");
  EXPECT_EQ(recorder_.entries[4].resources, std::vector<std::string>{"all logs"});
}

TEST_F(RoutesTest, ReadingBeginsNoLog) {
  get("/v1/audit/logs/mer_7/2026/checkpoint", "", {"audit:read-all"});
  as_operator("/v1/entries?merchant=mer");
  ASSERT_EQ(recorder_.entries.size(), 2);
  EXPECT_EQ(recorder_.entries[0].merchant_id, "");
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::failed);
  EXPECT_EQ(recorder_.entries[0].resources,
            (std::vector<std::string>{"mer_7-2026", "checkpoint", "mer_7"}));
  EXPECT_EQ(recorder_.entries[1].merchant_id, "");
}

TEST_F(RoutesTest, WithoutAuditNothingIsShown) {
  recorder_.available = false;
  for (const char* path : {"logs", "logs/mer_1/2026/checkpoint", "logs/mer_1/2026/tile/0/000.p/1",
                           "logs/mer_1/2026/proof/0", "entries", "logs/mer_2/2026/checkpoint"}) {
    const auto response = get(fmt::format("/v1/audit/{}", path));
    EXPECT_EQ(response.status, 503) << path;
    EXPECT_TRUE(response.body.contains("audit-unavailable")) << path;
  }
}

TEST_F(RoutesTest, ASearchGivesTheExactBytesOfTheOwnEntries) {
  const auto response = get("/v1/audit/entries?token=tok_a");
  ASSERT_EQ(response.status, 200);
  EXPECT_TRUE(response.body.contains(R"("index":0,"leaf_hash":")" +
                                     base64(audit::leaf_hash(as_bytes(entries_[0]))) +
                                     R"(","entry":)" + entries_[0] + "}"));
  EXPECT_TRUE(response.body.ends_with(R"("next":null,"indexed":{"entries":2,"of":2}})"));
  EXPECT_EQ(data_of(get("/v1/audit/entries")).size(), 2);
  EXPECT_EQ(data_of(get("/v1/audit/entries?merchant=mer_2")).size(), 2);  // not the client's to say
  EXPECT_EQ(data_of(get("/v1/audit/entries", "mer_2")).size(), 1);
  EXPECT_EQ(get("/v1/audit/entries?type=nonsense").status, 422);
}

TEST_F(RoutesTest, NoFilterFindsAnothersEntries) {
  for (const char* merchant : {"mer_1", "mer_2"}) {
    auto entry = folder_.entry(merchant);
    entry.gateway_token = "tok_same";
    entry.user = "key_same";
    entry.request_id = "r_same";
    folder_.append({entry});
  }
  close();
  open();
  follow();
  for (const char* filter :
       {"", "token=tok_same", "actor=key_same", "request=r_same", "type=token.create",
        "token=tok_same&actor=key_same&request=r_same&type=token.create", "merchant=mer_2",
        "merchant=", "merchant=operator&token=tok_same"}) {
    const auto found = data_of(get(fmt::format("/v1/audit/entries?{}", filter)));
    EXPECT_FALSE(found.empty()) << filter;
    for (const json::value& entry : found) {
      EXPECT_EQ(entry.as_object().at("owner").as_string(), "mer_1") << filter;
    }
  }
}

TEST_F(RoutesTest, ASearchGoesOnAfterItsPage) {
  const auto first = json::parse(get("/v1/audit/entries?limit=1").body).as_object();
  ASSERT_EQ(first.at("data").as_array().size(), 1);
  const std::string next(first.at("next").as_string());
  const auto second = json::parse(get("/v1/audit/entries?limit=1&after=" + next).body).as_object();
  ASSERT_EQ(second.at("data").as_array().size(), 1);
  EXPECT_NE(first.at("data"), second.at("data"));
  EXPECT_TRUE(second.at("next").is_null());
}

TEST_F(RoutesTest, AnExportIsRecordedInTheLogThatIsExported) {
  EXPECT_EQ(as_operator("/v1/exports/mer_2/2026", http::Method::post).status, 204);
  ASSERT_EQ(recorder_.entries.size(), 1);
  const audit::Entry& entry = recorder_.entries[0];
  EXPECT_EQ(entry.event_type, EventType::log_export);
  EXPECT_EQ(entry.user, "uid:1000");
  EXPECT_EQ(entry.merchant_id, "mer_2");
  EXPECT_EQ(entry.resources, std::vector<std::string>{"mer_2-2026"});
  EXPECT_EQ(as_operator("/v1/exports/mer_2/x", http::Method::post).status, 404);
  recorder_.available = false;
  EXPECT_EQ(as_operator("/v1/exports/mer_2/2026", http::Method::post).status, 503);
}

TEST_F(RoutesTest, AReadingOfTheFilesIsRecordedInTheLogThatIsRead) {
  const std::string target = "/v1/readings/prove?merchant=mer_2&what=mer_2-2026%2017";
  EXPECT_EQ(as_operator(target, http::Method::post).status, 204);
  EXPECT_EQ(as_operator("/v1/readings/verify", http::Method::post).status, 204);
  EXPECT_EQ(as_operator("/v1/readings/erase-proof", http::Method::post).status, 204);
  ASSERT_EQ(recorder_.entries.size(), 3);
  const audit::Entry& proved = recorder_.entries[0];
  EXPECT_EQ(proved.event_type, EventType::log_read);
  EXPECT_EQ(proved.outcome, Outcome::success);
  EXPECT_EQ(proved.user, "uid:1000");
  EXPECT_EQ(proved.operation, "strongroom audit prove");
  EXPECT_EQ(proved.merchant_id, "mer_2");
  EXPECT_EQ(proved.resources, std::vector<std::string>{"mer_2-2026 17"});
  EXPECT_EQ(recorder_.entries[1].operation, "strongroom audit verify");
  EXPECT_EQ(recorder_.entries[1].merchant_id, "");
  EXPECT_EQ(recorder_.entries[1].resources, std::vector<std::string>{"all logs"});
  EXPECT_EQ(recorder_.entries[2].operation, "strongroom erase-proof");
  EXPECT_EQ(as_operator("/v1/readings/forge", http::Method::post).status, 404);
  recorder_.available = false;
  EXPECT_EQ(as_operator("/v1/readings/report", http::Method::post).status, 503);
}

TEST_F(RoutesTest, OperatorsSearchAllLogsAndFollow) {
  EXPECT_EQ(data_of(as_operator("/v1/entries")).size(), 4);
  EXPECT_EQ(data_of(as_operator("/v1/entries?merchant=mer_2")).size(), 1);
  EXPECT_EQ(recorder_.entries.at(0).user, "uid:1000");
  EXPECT_EQ(recorder_.entries.at(0).merchant_id, "");
  EXPECT_EQ(recorder_.entries.at(1).merchant_id, "mer_2");
  const auto tail = json::parse(as_operator("/v1/entries/tail?limit=3").body).as_object();
  EXPECT_EQ(tail.at("data").as_array().size(), 3);
  recorder_.entries.clear();
  stopping_ = true;  // nobody waits for what is new
  const std::string next(tail.at("next").as_string());
  const auto nothing = json::parse(as_operator("/v1/entries/tail?after=" + next).body).as_object();
  EXPECT_TRUE(nothing.at("data").as_array().empty());
  EXPECT_EQ(nothing.at("next").as_string(), next);
  EXPECT_TRUE(recorder_.entries.empty());  // nothing was read
  EXPECT_EQ(as_operator("/v1/entries/tail?after=-1").status, 422);
}

}  // namespace
}  // namespace strongroom::connected::relay

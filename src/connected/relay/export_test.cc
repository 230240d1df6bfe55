// Exports: every form can be parsed again and checked against the log, every entry arrives, and a
// sink that dies or is slow loses nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "audit/testing/memory_recorder.h"
#include "base/encoding.h"
#include "connected/relay/exporter.h"
#include "connected/relay/testing/relay_fixture.h"

namespace strongroom::connected::relay {
namespace {

using audit::EventType;

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ExportTest : public testing::RelayTest {
 protected:
  // Takes records while it lives; what it took within doubt of its death is lost.
  class FakeSink final : public ExportSink {
   public:
    [[nodiscard]] async::Task<Result<void>> deliver(std::vector<std::string> given) override {
      return answer(std::move(given));
    }
    [[nodiscard]] bool is_alive() override { return alive; }
    [[nodiscard]] std::chrono::milliseconds doubt() const noexcept override { return doubt_ms; }
    void finish() override {}

    std::vector<std::string> records;
    std::chrono::milliseconds doubt_ms{0};
    bool alive = true;
    async::Loop* hangs_in = nullptr;

   private:
    async::Task<Result<void>> answer(std::vector<std::string> given) {
      while (hangs_in != nullptr) co_await hangs_in->sleep_for(std::chrono::milliseconds(2));
      if (!alive) co_return fail({ErrorCode::unavailable, "the sink is dead"});
      records.insert(records.end(), given.begin(), given.end());
      co_return Result<void>{};
    }
  };

  std::unique_ptr<Exporter> exporter(ExportSink& sink,
                                     std::chrono::milliseconds slow = std::chrono::hours(1)) {
    return std::make_unique<Exporter>(
        Exporter::Parts{.loop = loop_,
                        .pool = pool_,
                        .files = folder_.files(),
                        .watch = *watch_,
                        .recorder = recorder_,
                        .random = random_,
                        .clock = clock_,
                        .sink = sink,
                        .metrics = {.lag = metrics_.gauge("export_lag", "-"),
                                    .failing = metrics_.gauge("failing", "-"),
                                    .exported = metrics_.counter("exported", "-"),
                                    .failures = metrics_.counter("failures", "-")},
                        .name = "siem",
                        .destination = "tls://siem.example:6514",
                        .directory = folder_.directory(),
                        .place = "test.example/auditd",
                        .place_path = place_path(),
                        .host = "host1",
                        .format = ExportFormat::ndjson,
                        .retry_first = std::chrono::milliseconds(1),
                        .retry_max = std::chrono::milliseconds(1),
                        .slow = slow});
  }
  std::string place_path() const { return folder_.directory() + "/../export-siem"; }
  LogSizes place() const { return *parse_export_place(read(place_path())); }

  // Lets watch and `exporter` run through `scenario`.
  template <class Scenario>
  void run_with(Exporter& exporter, Scenario scenario) {
    int running = 2;
    const auto run = [&running](auto& part) -> async::Task<void> {
      co_await part.run();
      --running;
    };
    const auto all = [&]() -> async::Task<void> {
      async::spawn(run(*watch_));
      async::spawn(run(exporter));
      co_await scenario();
      watch_->stop();
      exporter.stop();
      while (running > 0) co_await loop_.sleep_for(std::chrono::milliseconds(2));
    };
    wait(all());
  }
  template <class Condition>
  async::Task<void> until(Condition condition) {
    while (!condition()) co_await loop_.sleep_for(std::chrono::milliseconds(2));
  }
  std::int64_t lag(Exporter& exporter) {
    exporter.look();
    return metrics_.gauge("export_lag", "-").value();
  }
  void append(std::size_t count) {
    std::vector<audit::Entry> entries;
    entries.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      entries.push_back(folder_.entry(i % 3 == 0 ? "mer_1" : ""));
    }
    const auto texts = folder_.append(entries);
    appended_.insert(texts.begin(), texts.end());
    folder_.sign();
  }
  // Every appended entry is among the records.
  bool has_all(const std::vector<std::string>& records) const {
    return std::ranges::all_of(appended_, [&](const std::string& entry) {
      return std::ranges::any_of(records, [&](const std::string& record) {
        return record.ends_with("\"entry\":" + entry + "}");
      });
    });
  }

  audit::testing::MemoryRecorder recorder_;
  crypto::SystemRandom random_;
  std::set<std::string> appended_;
};

audit::Entry sample() {
  audit::Entry entry;
  entry.event_type = EventType::access_denied;
  entry.outcome = audit::Outcome::denied;
  entry.time_us = testing::kTimeUs;
  entry.instance = "vaultd";
  entry.user = R"(a=b|c\d"e])";
  entry.source_ip = "192.0.2.7";
  entry.merchant_id = "mer_1";
  entry.resources = {"tok_a", "pay_1"};
  return entry;
}

TEST(ExportFormatTest, SyslogHasItsHeaderAndTheEntryByteForByte) {
  const std::string bytes = audit::to_json(sample());
  const std::string leaf = base64(audit::leaf_hash(as_bytes(bytes)));
  EXPECT_EQ(
      export_record(ExportFormat::syslog, {"test.example/auditd/mer_1/2026", 7, bytes}, "h 1"),
      "<108>1 " + rfc3339(testing::kTimeUs) +
          " h1 vaultd - access.denied [tlog@32473 "
          "origin=\"test.example/auditd/mer_1/2026\" index=\"7\" leaf=\"" +
          leaf + "\"] " + bytes);
}

TEST(ExportFormatTest, CefEscapesWhatWouldEndAField) {
  const std::string bytes = audit::to_json(sample());
  const std::string record = export_record(ExportFormat::cef, {"o", 7, bytes}, "host1");
  EXPECT_NE(record.find("] CEF:0|Strongroom|Strongroom|1|access.denied|access.denied|6|rt="),
            std::string::npos);
  EXPECT_NE(record.find(R"( suser=a\=b|c\\d"e] src=192.0.2.7 )"), std::string::npos);
  EXPECT_NE(record.find(" cs1=o cs1Label=origin cn1=7 cn1Label=index cs2="), std::string::npos);
  EXPECT_NE(record.find(" cs3=tok_a pay_1 cs3Label=resources "), std::string::npos);
  EXPECT_EQ(record.find('\n'), std::string::npos);
}

TEST(ExportFormatTest, WhatALaterVersionWritesGoesOutAllTheSame) {
  EXPECT_EQ(export_record(ExportFormat::ndjson, {"o", 0, R"({"new":1})"}, "h"),
            R"({"origin":"o","index":0,"leaf_hash":")" +
                base64(audit::leaf_hash(as_bytes(R"({"new":1})"))) + R"(","entry":{"new":1}})");
  EXPECT_TRUE(export_record(ExportFormat::syslog, {"o", 0, "{}"}, "h").ends_with("] {}"));
}

TEST(ExportPlaceTest, ComesBackAndRefusesAnythingElse) {
  const LogSizes sizes{{"mer_1-2026", 7}, {"operator-2026", 0}};
  EXPECT_EQ(parse_export_place(export_place_text(sizes)), sizes);
  for (const char* text : {"mer_1-2026", "mer_1-2026 x\n", "nothing 1\n", " 1\n"}) {
    EXPECT_EQ(parse_export_place(text).error().code(), ErrorCode::corrupt) << text;
  }
}

TEST_F(ExportTest, EveryEntryArrivesOnceAndTheBeginningIsRecorded) {
  append(600);
  FakeSink sink;
  const auto first = exporter(sink);
  run_with(*first, [&]() -> async::Task<void> {
    co_await until([&] { return sink.records.size() >= 600; });
    append(5);
    co_await until([&] { return lag(*first) == 0 && sink.records.size() >= 605; });
  });
  EXPECT_EQ(sink.records.size(), 605);
  EXPECT_TRUE(has_all(sink.records));
  EXPECT_EQ(place(), watch_->state().signed_sizes);
  ASSERT_EQ(recorder_.entries.size(), 1);
  EXPECT_EQ(recorder_.entries[0].event_type, EventType::log_export);
  EXPECT_EQ(recorder_.entries[0].resources,
            (std::vector<std::string>{"siem", "tls://siem.example:6514"}));
}

TEST_F(ExportTest, WhatASinkTookBeforeItDiedIsSentAgain) {
  append(10);
  FakeSink sink;
  sink.doubt_ms = std::chrono::hours(1);
  const auto first = exporter(sink);
  run_with(*first, [&]() -> async::Task<void> {
    co_await until([&] { return sink.records.size() == 10; });
    sink.alive = false;
    co_await until([&] { return !first->cause().empty(); });
    sink.records.clear();  // lost with it
    append(10);
    sink.alive = true;
    co_await until([&] { return has_all(sink.records); });
  });
  EXPECT_EQ(first->cause(), "");
  EXPECT_FALSE(std::filesystem::exists(place_path()));  // all of it is in doubt yet
  EXPECT_GT(metrics_.counter("failures", "-").value(), 0);
}

TEST_F(ExportTest, ASinkThatHangsIsToldOfWhileItDoes) {
  append(10);
  FakeSink sink;
  sink.hangs_in = &loop_;
  const auto first = exporter(sink, std::chrono::milliseconds(1));
  run_with(*first, [&]() -> async::Task<void> {
    co_await until([&] { return !first->cause().empty(); });
    EXPECT_EQ(first->cause(), "its sink does not answer");
    EXPECT_EQ(first->trouble(), "its sink does not answer: delivering since 0 s");
    EXPECT_EQ(lag(*first), 10);
    EXPECT_EQ(metrics_.gauge("failing", "-").value(), 1);
    append(5);
    co_await until([&] { return lag(*first) == 15; });  // though run() still waits
    sink.hangs_in = nullptr;
    co_await until([&] { return lag(*first) == 0; });
  });
  EXPECT_TRUE(has_all(sink.records));
}

TEST_F(ExportTest, StopsAtADamagedEntryAndNamesIt) {
  append(6);
  const auto bad = folder_.append({folder_.entry("mer_2"), folder_.entry("mer_2")});
  append(6);
  folder_.damage(bad[1]);
  FakeSink sink;
  const auto first = exporter(sink);
  run_with(*first,
           [&]() -> async::Task<void> { co_await until([&] { return lag(*first) == 1; }); });
  EXPECT_EQ(first->cause(), "an entry cannot be read");
  EXPECT_EQ(first->trouble(), "an entry cannot be read: 1 of mer_2-2026");
  EXPECT_EQ(metrics_.gauge("failing", "-").value(), 1);
  EXPECT_EQ(sink.records.size(), 13);  // all others
  EXPECT_EQ(place().at("mer_2-2026"), 1);
}

TEST_F(ExportTest, StopsAtAnArchivedEntryNamesItsArchiveAndGoesOnOnceItIsBack) {
  append(3);  // of which the first is mer_1's
  folder_.append({folder_.entry("mer_1")}, true);
  append(3);
  folder_.archive();
  FakeSink sink;
  const auto late = exporter(sink);
  std::string trouble;
  run_with(*late, [&]() -> async::Task<void> {
    co_await until([&] { return late->cause() == "an entry is in an archive"; });
    trouble = late->trouble();
    folder_.restore();
    co_await until([&] { return lag(*late) == 0; });
  });
  EXPECT_EQ(trouble,
            "an entry is in an archive: 0 of mer_1-2026; "
            "strongroom audit restore journal-00000000000000000001.archive");
  EXPECT_EQ(late->cause(), "");
  EXPECT_TRUE(has_all(sink.records));
  EXPECT_EQ(sink.records.size(), 7);
}

TEST_F(ExportTest, ALaterRunGoesOnWhereTheSinkSurelyWas) {
  append(10);
  FakeSink sink;
  const auto first = exporter(sink);
  run_with(*first, [&]() -> async::Task<void> {
    co_await until([&] { return lag(*first) == 0 && sink.records.size() == 10; });
  });
  close();
  open();
  append(3);
  FakeSink later;
  const auto second = exporter(later);
  run_with(*second, [&]() -> async::Task<void> {
    co_await until([&] { return later.records.size() >= 3; });
  });
  EXPECT_EQ(later.records.size(), 3);
}

TEST_F(ExportTest, AFileRotatesAndEndsNoLineInAnother) {
  const std::string path = folder_.directory() + "/../out.ndjson";
  const FileSinkOptions options{.path = path, .bytes_max = 25, .old_files_max = 2};
  std::ofstream(path) << "torn";  // by a crash
  for (const char* line : {"first line\n", "second line\n", "third line\n", "fourth line\n"}) {
    ASSERT_TRUE(append_rotating(options, line));
  }
  EXPECT_EQ(read(path + ".1"), "second line\nthird line\n");
  EXPECT_EQ(read(path + ".2"), "torn\nfirst line\n");
  EXPECT_EQ(read(path), "fourth line\n");
  EXPECT_EQ(append_rotating({.path = "/nowhere/x"}, "x").error().code(), ErrorCode::unavailable);
}

TEST_F(ExportTest, AFileSinkWritesLines) {
  FileSink sink(loop_, pool_, {.path = folder_.directory() + "/../out.ndjson"});
  std::vector<std::string> records{"a", "b"};
  EXPECT_TRUE(wait(sink.deliver(std::move(records))));
  EXPECT_EQ(read(folder_.directory() + "/../out.ndjson"), "a\nb\n");
  EXPECT_EQ(sink.doubt().count(), 0);
}

}  // namespace
}  // namespace strongroom::connected::relay

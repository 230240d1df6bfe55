// Entries: the exact JSON, what the writer masks, what the reader refuses.
#include "audit/entry.h"

#include <gtest/gtest.h>

#include "audit/entry_names.h"
#include "audit/entry_text.h"
#include "audit/entry_view.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

template <class IdType>
IdType id(std::uint8_t last) {
  IdType value;
  value.bytes[0] = std::byte{0x01};
  value.bytes[6] = std::byte{0x70};
  value.bytes[8] = std::byte{0x80};
  value.bytes[15] = std::byte{last};
  return value;
}

Entry full_entry() {
  return {.uid = id<EntryId>(1),
          .operation_id = id<OperationId>(2),
          .event_type = EventType::token_create,
          .phase = Phase::outcome,
          .outcome = Outcome::done,
          .time_us = 1'795'298'400'123'456,
          .instance = "vaultd",
          .user = "key_1",
          .source_ip = "192.0.2.7",
          .operation = "POST /v1/tokens",
          .resources = {"tok_a", "tok_b"},
          .gateway_token = "tok_a",
          .merchant_id = "mer_1",
          .connector_id = "stripe",
          .bin = "424242",
          .last4 = "4242",
          .request_id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee",
          .count = 3,
          .old_size_bytes = 20,
          .new_size_bytes = 10,
          .tree_size = 7,
          .tree_root = TreeRoot{std::byte{0xff}},
          .reason = "restored",
          .sha256 = TreeRoot{std::byte{0xff}},
          .until_ms = 9};
}

Entry small_entry() {
  return {.uid = id<EntryId>(1), .outcome = Outcome::denied, .instance = "edged"};
}

TEST(EntryTest, WritesExactlyTheDocumentedForm) {
  EXPECT_EQ(
      to_json(full_entry()),
      R"({"metadata":{"version":"1.3.0","uid":"01000000-0000-7000-8000-000000000001",)"
      R"("correlation_uid":"0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"},"class_uid":6003,"category_uid":6,)"
      R"("activity_id":1,"type_uid":600301,"severity_id":1,"time":1795298400123,"status_id":1,)"
      R"("actor":{"user":{"uid":"key_1"},"app_uid":"vaultd"},"api":{"operation":"POST /v1/tokens"},)"
      R"("src_endpoint":{"ip":"192.0.2.7"},"resources":[{"uid":"tok_a"},{"uid":"tok_b"}],)"
      R"("unmapped":{"schema":1,"event_type":"token.create","phase":"outcome",)"
      R"("operation_id":"01000000-0000-7000-8000-000000000002","outcome":"done",)"
      R"("gateway_token":"tok_a","merchant_id":"mer_1","connector_id":"stripe","bin":"424242",)"
      R"("last4":"4242","request_id":"0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee","count":3,)"
      R"("old_size_bytes":20,"new_size_bytes":10,"tree_size":7,)"
      R"("tree_root":"/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","reason":"restored",)"
      R"("sha256":"/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","until":9,)"
      R"("timestamp":"2026-11-21T22:00:00.123Z"}})");
}

TEST(EntryTest, LeavesOutWhatIsEmptyAndDerivesTheRest) {
  EXPECT_EQ(to_json(small_entry()),
            R"({"metadata":{"version":"1.3.0","uid":"01000000-0000-7000-8000-000000000001",)"
            R"("correlation_uid":"01000000-0000-7000-8000-000000000001"},"class_uid":6003,)"
            R"("category_uid":6,"activity_id":99,"type_uid":600399,"severity_id":3,"time":0,)"
            R"("status_id":2,"actor":{"user":{"uid":"edged"},"app_uid":"edged"},)"
            R"("api":{"operation":"access.denied"},"src_endpoint":{"name":"local"},"resources":[],)"
            R"("unmapped":{"schema":1,"event_type":"access.denied","phase":"single",)"
            R"("outcome":"denied","timestamp":"1970-01-01T00:00:00.000Z"}})");
}

TEST(EntryTest, ParseGivesBackWhatWasWritten) {
  for (const Entry& entry : {full_entry(), small_entry()}) {
    const std::string json = to_json(entry);
    const auto parsed = parse_entry(json);
    ASSERT_TRUE(parsed) << parsed.error().detail();
    EXPECT_EQ(to_json(*parsed), json);
    EXPECT_EQ(parsed->merchant_id, entry.merchant_id);
    EXPECT_EQ(parsed->resources, entry.resources);
    EXPECT_EQ(parsed->user, entry.user);
    EXPECT_EQ(parsed->count, entry.count);
    EXPECT_EQ(parsed->tree_size, entry.tree_size);
    EXPECT_EQ(parsed->tree_root, entry.tree_root);
    EXPECT_EQ(parsed->reason, entry.reason);
    EXPECT_EQ(parsed->sha256, entry.sha256);
    EXPECT_EQ(parsed->until_ms, entry.until_ms);
  }
}

TEST(EntryTest, EveryTypePhaseAndOutcomeHasOneNameAndIsReadBack) {
  for (const EventTypeRow& row : kEventTypes) {
    for (const auto phase : {Phase::single, Phase::intent, Phase::outcome}) {
      for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
        Entry entry = full_entry();
        entry.event_type = row.type;
        entry.phase = phase;
        entry.outcome = static_cast<Outcome>(i);
        const auto parsed = parse_entry(to_json(entry));
        ASSERT_EQ(parsed.has_value(), fits(phase, entry.outcome)) << row.text;
        if (parsed) {
          EXPECT_EQ(name(parsed->event_type), row.text);
        }
      }
    }
  }
}

TEST(EntryTest, MasksWhatLooksLikeACardNumberInEveryField) {
  const std::string pan = "4242424242424242";
  Entry entry = full_entry();
  for (std::string* field :
       {&entry.user, &entry.source_ip, &entry.operation, &entry.gateway_token, &entry.merchant_id,
        &entry.connector_id, &entry.bin, &entry.last4, &entry.request_id, &entry.instance}) {
    *field = "x " + pan;
  }
  entry.resources = {pan, "GET /v1/tokens/4242-4242-4242-4242", "4242.4242.4242.4242",
                     "4242\u00a04242\u00a04242\u00a04242"};
  const std::string json = to_json(entry);
  EXPECT_EQ(json.find("4242"), std::string::npos) << json;
  EXPECT_TRUE(parse_entry(json));
}

TEST(EntryTest, MasksABinOrLast4ThatIsNone) {
  Entry entry = full_entry();
  entry.bin = "424242424";
  entry.last4 = "42424";
  const std::string json = to_json(entry);
  EXPECT_NE(json.find(R"("bin":"[masked]","last4":"[masked]")"), std::string::npos);
  EXPECT_TRUE(parse_entry(json));
}

TEST(EntryTest, APanAcrossTheCutIsMaskedToo) {
  Entry entry = full_entry();
  entry.user = std::string(kFieldBytesMax - 17, 'x') + " 5555555555554444";
  entry.operation = std::string(kFieldBytesMax - 8, 'x') + " 5555555555554444";
  const std::string json = to_json(entry);
  EXPECT_EQ(json.find("5555"), std::string::npos);
}

TEST(EntryTest, EscapesQuotesAndReplacesControlsAndBrokenUtf8) {
  Entry entry = full_entry();
  entry.user = "a\"b\\c\n\x7F\xFF\xC3\xA9\xED\xA0\x80z";
  const std::string json = to_json(entry);
  EXPECT_NE(json.find("\"a\\\"b\\\\c???\xC3\xA9???z\""), std::string::npos) << json;
  const auto parsed = parse_entry(json);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->user, "a\"b\\c???\xC3\xA9???z");
}

TEST(EntryTest, StaysUnderTheLimitAndCutsAtCharacters) {
  Entry entry = full_entry();
  const std::string longest(3000, '"');
  for (std::string* field :
       {&entry.user, &entry.source_ip, &entry.operation, &entry.gateway_token, &entry.merchant_id,
        &entry.connector_id, &entry.request_id, &entry.instance}) {
    *field = longest;
  }
  entry.resources.assign(40, longest);
  entry.user = std::string(kFieldBytesMax - 1, 'x') + "\xC3\xA9";
  const std::string json = to_json(entry);
  EXPECT_LE(json.size(), kEntryBytesMax);
  const auto parsed = parse_entry(json);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->user, std::string(kFieldBytesMax - 1, 'x'));
  EXPECT_EQ(parsed->resources.size(), kResourcesMax);
}

TEST(EntryTest, ReaderRefusesEveryTruncationAndForeignByte) {
  const std::string json = to_json(full_entry());
  for (std::size_t i = 0; i < json.size(); ++i) {
    EXPECT_FALSE(read_entry(json.substr(0, i))) << i;
    std::string changed = json;
    changed[i] = '\x01';
    EXPECT_FALSE(read_entry(changed)) << i;
  }
  EXPECT_FALSE(read_entry(json + " "));
  EXPECT_FALSE(read_entry(""));
  EXPECT_EQ(read_entry(std::string(kEntryBytesMax + 1, '{')).error().code(), ErrorCode::too_large);
}

TEST(EntryTest, WhatTheReaderAcceptsIsWhatTheWriterWrites) {
  const std::string json = to_json(full_entry());
  for (std::size_t i = 0; i < json.size(); ++i) {
    for (const char c : {'0', '1', '9', 'a', 'z', '"', '\\', '.', '-', ',', '}'}) {
      std::string changed = json;
      changed[i] = c;
      if (const auto parsed = parse_entry(changed)) {
        EXPECT_EQ(to_json(*parsed), changed);
      }
    }
  }
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  SR_CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(EntryTest, ReaderRefusesWhatDoesNotFitTogether) {
  const std::string json = to_json(full_entry());
  const std::vector<std::pair<std::string, std::string>> changes{
      {R"("activity_id":1)", R"("activity_id":2)"},
      {R"("type_uid":600301)", R"("type_uid":600302)"},
      {R"("severity_id":1)", R"("severity_id":2)"},
      {R"("status_id":1)", R"("status_id":2)"},
      {R"("time":1795298400123)", R"("time":1795298400124)"},
      {R"("time":1795298400123)", R"("time":-1)"},
      {R"("time":1795298400123)", R"("time":01795298400123)"},
      {R"("correlation_uid":"0)", R"("correlation_uid":"1)"},
      {R"("phase":"outcome")", R"("phase":"intent")"},
      {R"("bin":"424242")", R"("bin":"42424x")"},
      {R"("last4":"4242")", R"("last4":"424")"},
      {R"("user":{"uid":"key_1"})", R"("user":{"uid":""})"},
      {R"("user":{"uid":"key_1"})", R"("user":{"uid":"4242424242424242"})"},
      {R"("user":{"uid":"key_1"})", R"("user":{"uid":"4242.4242.4242.4242"})"},
      {R"("user":{"uid":"key_1"})", "\"user\":{\"uid\":\"4242\u20134242\u20134242\u20134242\"}"},
      {R"("user":{"uid":"key_1"})", R"("user":{"uid":"\u0041"})"},
      {R"("user":{"uid":"key_1"})", R"("user":{"uid":")" + std::string(257, 'x') + R"("})"},
      {R"("operation_id":"01000000-0000-7000-8000-000000000002",)", ""},
      {R"("operation_id":"01000000-0000-7000-8000-000000000002")",
       R"("operation_id":"00000000-0000-0000-0000-000000000000")"},
      {"token.create", "token.creates"}};
  for (const auto& [from, to] : changes) {
    EXPECT_FALSE(read_entry(replaced(json, from, to))) << from << " -> " << to;
  }
}

TEST(EntryTest, OutcomeOfKeepsTheOperationAndTheSubject) {
  Entry intent = full_entry();
  intent.phase = Phase::intent;
  intent.outcome = Outcome::none;
  const Entry outcome = outcome_of(intent, Outcome::unknown, id<EntryId>(9), 1'000'000);
  EXPECT_EQ(outcome.operation_id, intent.operation_id);
  EXPECT_EQ(outcome.gateway_token, intent.gateway_token);
  EXPECT_EQ(outcome.uid, id<EntryId>(9));
  const auto view = read_entry(to_json(outcome));
  EXPECT_TRUE(view);
}

TEST(EntryTextTest, TimestampAgreesWithRfc3339) {
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{951'782'399'999}, std::int64_t{951'782'400'000},
        std::int64_t{1'795'298'400'123}, std::int64_t{4'102'444'799'999}, kTimeMaxMs}) {
    EXPECT_EQ(timestamp(ms).view(), rfc3339(ms * 1000));
  }
}

TEST(EntryTextTest, PlainRunCountsDigitsThatMayBeOneCardNumber) {
  EXPECT_EQ(plain_run("4242 4242-4242x4242").digits, 12U);
  EXPECT_EQ(plain_run("4242.4242/4242_4242").digits, 16U);
  EXPECT_EQ(plain_run("0a1b2c3d4e5f60718293").digits, 8U);
  EXPECT_EQ(plain_run("12\"34").size, 2U);
  EXPECT_EQ(plain_run("1\\").size, 1U);
  EXPECT_EQ(plain_run("a\x7F").size, 1U);
  EXPECT_EQ(plain_run("a\xC3\xA9").size, 1U);
  EXPECT_EQ(plain_run("").size, 0U);
}

TEST(EntryTextTest, CharacterSizeFollowsRfc3629) {
  EXPECT_EQ(character_size("a"), 1U);
  EXPECT_EQ(character_size("\xC3\xA9"), 2U);
  EXPECT_EQ(character_size("\xE2\x82\xAC"), 3U);
  EXPECT_EQ(character_size("\xF0\x9F\x98\x80"), 4U);
  for (const std::string_view broken :
       {"\x1F", "\x7F", "\x80", "\xC0\x80", "\xC1\xBF", "\xC2\x80", "\xC3", "\xE0\x80\x80",
        "\xED\xA0\x80", "\xE2\x82", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF"}) {
    EXPECT_EQ(character_size(broken), 0U) << hex(as_bytes(broken));
  }
}

}  // namespace
}  // namespace strongroom::audit

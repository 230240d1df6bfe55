// Intake messages: what is built is read back, and nothing else is.
#include "audit/protocol.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace strongroom::audit {
namespace {

std::string hex_of(const Message& message) { return hex(message); }

TEST(ProtocolTest, BuildsTheDocumentedBytes) {
  EXPECT_EQ(hex_of(hello_message("vaultd")), "01017661756c7464");
  EXPECT_EQ(hex_of(welcome_message(Welcome::not_permitted, true)), "810201");
  AppendBuilder builder;
  builder.add("ab");
  builder.add("c");
  EXPECT_EQ(hex_of(builder.take()), "02000200026162000163");
  const std::vector<EntryStatus> statuses{EntryStatus::durable, EntryStatus::unavailable,
                                          EntryStatus::uncertain};
  EXPECT_EQ(hex_of(acknowledgement_message(statuses)), "82000304");
  EXPECT_EQ(hex_of(open_intents_message()), "03");
  const std::vector<std::string_view> entries{"ab"};
  EXPECT_EQ(hex_of(intents_messages(entries)[0]), "8300000100026162");
  EXPECT_EQ(hex_of(state_message(true)), "8401");
}

TEST(ProtocolTest, ReadsBackWhatItBuilds) {
  const Message hello = hello_message("vaultd");
  EXPECT_EQ(parse_hello(hello)->instance, "vaultd");
  EXPECT_EQ(parse_hello(hello)->version, kProtocolVersion);
  EXPECT_EQ(parse_welcome(welcome_message(Welcome::accepted, true))->welcome, Welcome::accepted);
  AppendBuilder builder;
  for (std::size_t i = 0; i < kAppendEntriesMax; ++i) {
    EXPECT_FALSE(builder.full());
    builder.add(std::string(kEntryBytesMax, 'x'));
  }
  EXPECT_TRUE(builder.full());
  const Message message = builder.take();
  EXPECT_LE(message.size(), kMessageBytesMax);
  EXPECT_EQ(parse_append(message)->size(), kAppendEntriesMax);
  EXPECT_EQ(parse_acknowledgement(acknowledgement_message(std::vector(3, EntryStatus::uncertain)))
                ->size(),
            3U);
  EXPECT_FALSE(*parse_state(state_message(false)));
}

TEST(ProtocolTest, SplitsManyIntentsIntoMessages) {
  const std::vector<std::string_view> entries(2 * kAppendEntriesMax + 1, "x");
  const auto messages = intents_messages(entries);
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_TRUE(parse_intents(messages[0])->more);
  EXPECT_TRUE(parse_intents(messages[1])->more);
  EXPECT_FALSE(parse_intents(messages[2])->more);
  EXPECT_EQ(parse_intents(messages[2])->entries.size(), 1U);
  const auto none = intents_messages({});
  ASSERT_EQ(none.size(), 1U);
  EXPECT_TRUE(parse_intents(none[0])->entries.empty());
}

Message bytes(std::string_view digits) {
  Message message(digits.size() / 2);
  EXPECT_TRUE(parse_hex(digits, message));
  return message;
}

TEST(ProtocolTest, RefusesEverythingElse) {
  EXPECT_FALSE(message_type({}));
  EXPECT_FALSE(message_type(bytes("7f")));
  for (const std::string_view digits : {"", "01", "0101", "0201"}) {
    EXPECT_FALSE(parse_hello(bytes(digits))) << digits;
  }
  EXPECT_FALSE(parse_hello(bytes("0101" + hex(std::vector<std::byte>(65)))));
  for (const std::string_view digits :
       {"", "81", "8100", "810301", "810002", "81000100", "820001"}) {
    EXPECT_FALSE(parse_welcome(bytes(digits))) << digits;
  }
  for (const std::string_view digits :
       {"", "02", "0200", "020000", "020001", "02000100", "0200010000", "02000100016161",
        "0200010002", "020001000261", "0200020001610002", "03000100016161", "020101000161",
        "0200014001"}) {
    EXPECT_FALSE(parse_append(bytes(digits))) << digits;
  }
  for (const std::string_view digits : {"", "82", "8205", "810000"}) {
    EXPECT_FALSE(parse_acknowledgement(bytes(digits))) << digits;
  }
  for (const std::string_view digits : {"", "83", "830000", "83020000", "83000001", "83010101"}) {
    EXPECT_FALSE(parse_intents(bytes(digits))) << digits;
  }
  for (const std::string_view digits : {"", "84", "8402", "840100", "8301"}) {
    EXPECT_FALSE(parse_state(bytes(digits))) << digits;
  }
}

}  // namespace
}  // namespace strongroom::audit

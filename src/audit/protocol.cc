// Intake messages: a type byte, fixed fields, then entries with u16be lengths.
#include "audit/protocol.h"

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kCountAt = 1;
constexpr std::size_t kAppendHeaderBytes = 3;   // type, u16be count
constexpr std::size_t kIntentsHeaderBytes = 4;  // type, more, u16be count
constexpr std::size_t kLengthBytes = 2;
constexpr Error kMalformed{ErrorCode::invalid_argument, "audit intake message is malformed"};

Message start(MessageType type) { return {static_cast<std::byte>(type)}; }

bool is(MessageView message, MessageType type, std::size_t size_min) noexcept {
  return message.size() >= size_min && message[0] == static_cast<std::byte>(type);
}

std::size_t read_u16be(MessageView bytes) noexcept {
  return std::to_integer<std::size_t>(bytes[0]) << 8 | std::to_integer<std::size_t>(bytes[1]);
}

void set_u16be(Message& message, std::size_t at, std::size_t value) {
  message[at] = static_cast<std::byte>(value >> 8);
  message[at + 1] = static_cast<std::byte>(value);
}

void append_entry(Message& message, std::string_view entry) {
  SR_CHECK(!entry.empty() && entry.size() <= kEntryBytesMax);
  append_u16be(message, static_cast<std::uint16_t>(entry.size()));
  append_bytes(message, as_bytes(entry));
}

// `count` entries that are all of `bytes`.
Result<std::vector<std::string_view>> parse_entries(MessageView bytes, std::size_t count) {
  std::vector<std::string_view> entries;
  entries.reserve(std::min(count, kAppendEntriesMax));
  for (; entries.size() < count; bytes = bytes.subspan(kLengthBytes + entries.back().size())) {
    if (bytes.size() < kLengthBytes) return fail(kMalformed);
    const std::size_t length = read_u16be(bytes);
    if (length == 0 || length > kEntryBytesMax || length > bytes.size() - kLengthBytes) {
      return fail(kMalformed);
    }
    entries.push_back(as_text(bytes.subspan(kLengthBytes, length)));
  }
  if (!bytes.empty()) return fail(kMalformed);
  return entries;
}

}  // namespace

Result<MessageType> message_type(MessageView message) noexcept {
  if (message.empty()) return fail(kMalformed);
  const auto type = static_cast<MessageType>(message[0]);
  switch (type) {
    case MessageType::hello:
    case MessageType::append:
    case MessageType::open_intents:
    case MessageType::welcome:
    case MessageType::acknowledgement:
    case MessageType::intents:
    case MessageType::state:
      return type;
  }
  return fail(kMalformed);
}

Message hello_message(std::string_view instance) {
  SR_CHECK(!instance.empty() && instance.size() <= kInstanceBytesMax);
  Message message = start(MessageType::hello);
  message.push_back(std::byte{kProtocolVersion});
  append_bytes(message, as_bytes(instance));
  return message;
}

Result<Hello> parse_hello(MessageView message) noexcept {
  constexpr std::size_t kHeaderBytes = 2;
  if (!is(message, MessageType::hello, kHeaderBytes + 1)) return fail(kMalformed);
  const MessageView instance = message.subspan(kHeaderBytes);
  if (instance.size() > kInstanceBytesMax) return fail(kMalformed);
  return Hello{std::to_integer<std::uint8_t>(message[1]), as_text(instance)};
}

Message welcome_message(Welcome welcome, bool accepting) {
  Message message = start(MessageType::welcome);
  message.push_back(static_cast<std::byte>(welcome));
  message.push_back(std::byte{accepting});
  return message;
}

Result<WelcomeView> parse_welcome(MessageView message) noexcept {
  constexpr std::size_t kSize = 3;
  if (!is(message, MessageType::welcome, kSize) || message.size() != kSize ||
      message[1] > static_cast<std::byte>(Welcome::not_permitted) || message[2] > std::byte{1}) {
    return fail(kMalformed);
  }
  return WelcomeView{static_cast<Welcome>(message[1]), message[2] == std::byte{1}};
}

AppendBuilder::AppendBuilder() : message_(start(MessageType::append)) { append_u16be(message_, 0); }

void AppendBuilder::add(std::string_view entry) {
  SR_CHECK(!full());
  append_entry(message_, entry);
  ++count_;
}

Message AppendBuilder::take() {
  set_u16be(message_, kCountAt, count_);
  return std::move(message_);
}

Result<std::vector<std::string_view>> parse_append(MessageView message) {
  if (!is(message, MessageType::append, kAppendHeaderBytes)) {
    return fail(kMalformed);
  }
  const std::size_t count = read_u16be(message.subspan(kCountAt));
  if (count == 0 || count > kAppendEntriesMax) return fail(kMalformed);
  return parse_entries(message.subspan(kAppendHeaderBytes), count);
}

Message acknowledgement_message(std::span<const EntryStatus> statuses) {
  Message message = start(MessageType::acknowledgement);
  for (const EntryStatus status : statuses) message.push_back(static_cast<std::byte>(status));
  return message;
}

Result<std::vector<EntryStatus>> parse_acknowledgement(MessageView message) {
  if (!is(message, MessageType::acknowledgement, 2) || message.size() > 1 + kAppendEntriesMax) {
    return fail(kMalformed);
  }
  std::vector<EntryStatus> statuses;
  for (const std::byte status : message.subspan(1)) {
    if (status > static_cast<std::byte>(EntryStatus::uncertain)) return fail(kMalformed);
    statuses.push_back(static_cast<EntryStatus>(status));
  }
  return statuses;
}

Message open_intents_message() { return start(MessageType::open_intents); }

std::vector<Message> intents_messages(std::span<const std::string_view> entries) {
  std::vector<Message> messages;
  do {
    Message message = start(MessageType::intents);
    message.push_back(std::byte{0});
    append_u16be(message, 0);
    std::size_t count = 0;
    while (count < entries.size() && count < kAppendEntriesMax) {
      append_entry(message, entries[count++]);
    }
    entries = entries.subspan(count);
    message[1] = std::byte{!entries.empty()};
    set_u16be(message, 2, count);
    messages.push_back(std::move(message));
  } while (!entries.empty());
  return messages;
}

Result<IntentsView> parse_intents(MessageView message) {
  if (!is(message, MessageType::intents, kIntentsHeaderBytes) || message[1] > std::byte{1}) {
    return fail(kMalformed);
  }
  const std::size_t count = read_u16be(message.subspan(2));
  if (count > kAppendEntriesMax) return fail(kMalformed);
  SR_TRY(auto entries, parse_entries(message.subspan(kIntentsHeaderBytes), count));
  return IntentsView{message[1] == std::byte{1}, std::move(entries)};
}

Message state_message(bool accepting) {
  Message message = start(MessageType::state);
  message.push_back(std::byte{accepting});
  return message;
}

Result<bool> parse_state(MessageView message) noexcept {
  constexpr std::size_t kSize = 2;
  if (!is(message, MessageType::state, kSize) || message.size() != kSize ||
      message[1] > std::byte{1}) {
    return fail(kMalformed);
  }
  return message[1] == std::byte{1};
}

}  // namespace strongroom::audit

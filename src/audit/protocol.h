// The messages between a Client and auditd's intake (docs/formats/audit-intake.md). Pure functions;
// a message is what one frame of async::LocalSocket carries. Whatever is not exactly of a message's
// form is refused, and the connection ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "audit/entry.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::uint8_t kProtocolVersion = 1;
inline constexpr std::size_t kAppendEntriesMax = 256;
// Of any message: an append of the longest entries.
inline constexpr std::size_t kMessageBytesMax = 4 + kAppendEntriesMax * (2 + kEntryBytesMax);
inline constexpr std::size_t kInstanceBytesMax = 64;

enum class MessageType : std::uint8_t {
  hello = 0x01,
  append = 0x02,
  open_intents = 0x03,
  welcome = 0x81,
  acknowledgement = 0x82,
  intents = 0x83,
  state = 0x84,
};

// What became of one entry of an append.
enum class EntryStatus : std::uint8_t {
  durable = 0,
  repeated = 1,     // durable before: its uid was seen
  refused = 2,      // not an entry of this writer; repeating it is of no use
  unavailable = 3,  // not in the journal, which takes none now
  uncertain = 4,    // the disk failed while it was written: it may be in the journal or not
};

enum class Welcome : std::uint8_t {
  accepted = 0,
  version_unknown = 1,
  not_permitted = 2,  // the peer's user may not write as this instance
};

using Message = std::vector<std::byte>;
using MessageView = std::span<const std::byte>;

// The type of a message; invalid_argument.
[[nodiscard]] Result<MessageType> message_type(MessageView message) noexcept;

[[nodiscard]] Message hello_message(std::string_view instance);
struct Hello {
  std::uint8_t version = 0;
  std::string_view instance;  // within the message
};
[[nodiscard]] Result<Hello> parse_hello(MessageView message) noexcept;

// `accepting`: whether the journal takes entries now.
[[nodiscard]] Message welcome_message(Welcome welcome, bool accepting);
struct WelcomeView {
  Welcome welcome = Welcome::not_permitted;
  bool accepting = false;
};
[[nodiscard]] Result<WelcomeView> parse_welcome(MessageView message) noexcept;

// Builds an append message, entry by entry.
class AppendBuilder {
 public:
  AppendBuilder();
  // REQUIRES: !full(), 0 < entry.size() <= kEntryBytesMax.
  void add(std::string_view entry);
  [[nodiscard]] bool full() const noexcept { return count_ == kAppendEntriesMax; }
  [[nodiscard]] Message take();

 private:
  Message message_;
  std::size_t count_ = 0;
};
// The entries, within the message: 1 to kAppendEntriesMax of them.
[[nodiscard]] Result<std::vector<std::string_view>> parse_append(MessageView message);

// One status per entry of an append, in its order.
[[nodiscard]] Message acknowledgement_message(std::span<const EntryStatus> statuses);
[[nodiscard]] Result<std::vector<EntryStatus>> parse_acknowledgement(MessageView message);

[[nodiscard]] Message open_intents_message();
// Answers to open_intents: as many messages as the entries need, at least one; all but the last say
// that more follow.
[[nodiscard]] std::vector<Message> intents_messages(std::span<const std::string_view> entries);
struct IntentsView {
  bool more = false;
  std::vector<std::string_view> entries;  // within the message
};
[[nodiscard]] Result<IntentsView> parse_intents(MessageView message);

// Sent unasked when the journal stops or starts to take entries.
[[nodiscard]] Message state_message(bool accepting);
[[nodiscard]] Result<bool> parse_state(MessageView message) noexcept;

}  // namespace strongroom::audit

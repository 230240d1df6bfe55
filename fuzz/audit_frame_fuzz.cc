// What the readers of the audit log take is exactly what the writers write: intake messages,
// entries, notes, checkpoints, keys. The first byte of an input chooses the reader.
#include <cstdint>
#include <string_view>

#include "audit/checkpoint_files.h"
#include "audit/entry.h"
#include "audit/protocol.h"
#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

bool same(const Message& written, MessageView read) { return as_text(written) == as_text(read); }

void check_from_client(MessageView message) {
  if (const auto hello = parse_hello(message); hello && hello->version == kProtocolVersion) {
    SR_CHECK(same(hello_message(hello->instance), message));
  }
  if (const auto entries = parse_append(message)) {
    AppendBuilder builder;
    for (const std::string_view entry : *entries) builder.add(entry);
    SR_CHECK(same(builder.take(), message));
  }
}

void check_from_daemon(MessageView message) {
  if (const auto welcome = parse_welcome(message)) {
    SR_CHECK(same(welcome_message(welcome->welcome, welcome->accepting), message));
  }
  if (const auto statuses = parse_acknowledgement(message)) {
    SR_CHECK(same(acknowledgement_message(*statuses), message));
  }
  if (const auto state = parse_state(message)) SR_CHECK(same(state_message(*state), message));
  if (const auto intents = parse_intents(message); intents && !intents->more) {
    SR_CHECK(same(intents_messages(intents->entries)[0], message));
  }
}

void check_entry(std::string_view json) {
  const auto entry = parse_entry(json);
  if (!entry) return;
  SR_CHECK(to_json(*entry) == json);
  SR_CHECK(!looks_like_pan(entry->user) && !looks_like_pan(entry->merchant_id));
}

void check_note(std::string_view bytes) {
  const auto note = parse_note(bytes);
  if (note) SR_CHECK(note_size(bytes, false).has_value());
  if (const auto size = note_size(bytes, false)) SR_CHECK(*size <= bytes.size());
  for (const NoteKeyType type : {NoteKeyType::ed25519, NoteKeyType::cosignature}) {
    if (const auto key = NoteKey::parse(bytes, type)) SR_CHECK(key->text() == bytes);
  }
}

void check_checkpoint(std::string_view text) {
  if (const auto checkpoint = parse_checkpoint_text(text)) {
    SR_CHECK(text.starts_with(checkpoint_text(*checkpoint)));
  }
  if (const auto record = parse_last_signed(text)) SR_CHECK(last_signed_text(*record) == text);
}

void check(std::span<const std::byte> input) {
  if (input.empty()) return;
  const auto rest = input.subspan(1);
  switch (std::to_integer<unsigned>(input[0]) % 5) {
    case 0:
      return check_from_client(rest);
    case 1:
      return check_from_daemon(rest);
    case 2:
      return check_entry(as_text(rest));
    case 3:
      return check_note(as_text(rest));
    case 4:
      return check_checkpoint(as_text(rest));
  }
}

}  // namespace
}  // namespace strongroom::audit

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::audit::check(std::as_bytes(std::span(data, size)));
  return 0;
}

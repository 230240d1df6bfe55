// Signed notes, as C2SP's signed-note and Go's x/mod/sumdb/note have them.
#include "audit/note.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/hash.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // em dash, space
constexpr std::size_t kKeyIdBytes = 4;
constexpr Error kNotNote{ErrorCode::invalid_argument, "not a signed note"};
constexpr Error kNotKey{ErrorCode::invalid_argument, "not a verifier key"};

std::vector<std::byte> typed_key(const NoteKey& key) {
  std::vector<std::byte> bytes{static_cast<std::byte>(key.type)};
  append_bytes(bytes, key.public_key);
  return bytes;
}

Result<NoteSignature> parse_signature_line(std::string_view line) {
  if (!line.starts_with(kDash)) return fail(kNotNote);
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_key_name(line.substr(0, space))) return fail(kNotNote);
  const auto blob = parse_base64(line.substr(space + 1));
  if (!blob || blob->size() <= kKeyIdBytes) return fail(kNotNote);
  return NoteSignature{std::string(line.substr(0, space)),
                       read_u32be(*blob),
                       {blob->begin() + kKeyIdBytes, blob->end()}};
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
}

}  // namespace

// Unicode's spaces are outside ASCII but for these; our names are ASCII, others' are refused.
bool is_key_name(std::string_view name) noexcept {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7F' && c != '+'; });
}

std::uint32_t NoteKey::id() const {
  crypto::Sha256 hash;
  hash.update(as_bytes(name)).update(as_bytes("\n")).update(typed_key(*this));
  return read_u32be(hash.finish());
}

std::string NoteKey::text() const {
  return fmt::format("{}+{:08x}+{}", name, id(), base64(typed_key(*this)));
}

Result<NoteKey> NoteKey::parse(std::string_view vkey, NoteKeyType type) {
  const std::size_t first = vkey.find('+');
  if (first == std::string_view::npos || !is_key_name(vkey.substr(0, first))) return fail(kNotKey);
  const std::string_view rest =
      vkey.substr(first + 1);  // hex8 "+" base64, which may hold a "+" too
  NoteKey key{std::string(vkey.substr(0, first)), {}, type};
  std::array<std::byte, kKeyIdBytes> id{};
  constexpr std::size_t kHexSize = 2 * kKeyIdBytes;
  if (rest.size() <= kHexSize || rest[kHexSize] != '+' ||
      !parse_hex(rest.substr(0, kHexSize), id)) {
    return fail(kNotKey);
  }
  const auto typed = parse_base64(rest.substr(kHexSize + 1));
  if (!typed || typed->size() != 1 + key.public_key.size() ||
      typed->front() != static_cast<std::byte>(type)) {
    return fail(kNotKey);
  }
  std::copy(typed->begin() + 1, typed->end(), key.public_key.begin());
  if (key.id() != read_u32be(id)) return fail(kNotKey);
  return key;
}

Result<Note> parse_note(std::string_view bytes) {
  if (bytes.size() > kNoteBytesMax) return fail({ErrorCode::too_large, "signed note is too long"});
  if (has_control_characters(bytes) || !bytes.ends_with('\n')) return fail(kNotNote);
  const std::size_t split = bytes.rfind("\n\n");  // the text may hold empty lines itself
  if (split == std::string_view::npos) return fail(kNotNote);
  Note note{std::string(bytes.substr(0, split + 1)), {}};
  std::string_view lines = bytes.substr(split + 2);
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    SR_TRY(NoteSignature signature, parse_signature_line(lines.substr(0, end)));
    note.signatures.push_back(std::move(signature));
    if (note.signatures.size() > kNoteSignaturesMax) return fail(kNotNote);
    lines.remove_prefix(end + 1);
  }
  if (note.signatures.empty()) return fail(kNotNote);
  return note;
}

std::string signature_line(const NoteKey& key, std::span<const std::byte> signature) {
  std::vector<std::byte> blob;
  append_u32be(blob, key.id());
  append_bytes(blob, signature);
  return fmt::format("{}{} {}\n", kDash, key.name, base64(blob));
}

std::string sign_note(std::string_view text, std::string_view name,
                      const crypto::Ed25519Signer& signer) {
  SR_CHECK(text.ends_with('\n') && is_key_name(name));
  const NoteKey key{std::string(name), signer.public_key()};
  return fmt::format("{}\n{}", text, signature_line(key, signer.sign(as_bytes(text))));
}

NoteVerifier::NoteVerifier(NoteKey key, crypto::Ed25519Verifier verifier)
    : key_(std::move(key)), key_id_(key_.id()), verifier_(std::move(verifier)) {}

Result<NoteVerifier> NoteVerifier::create(NoteKey key) {
  if (key.type != NoteKeyType::ed25519) return fail(kNotKey);
  SR_TRY(crypto::Ed25519Verifier verifier, crypto::Ed25519Verifier::create(key.public_key));
  return NoteVerifier(std::move(key), std::move(verifier));
}

Result<std::size_t> NoteVerifier::count(const Note& note) const {
  std::size_t seen = 0;
  for (const NoteSignature& signature : note.signatures) {
    if (signature.name != key_.name || signature.key_id != key_id_) continue;
    if (!verifier_.verify(as_bytes(note.text), signature.signature)) {
      return fail({ErrorCode::permission_denied, "signature of the note does not verify"});
    }
    ++seen;
  }
  return seen;
}

Result<void> NoteVerifier::verify(const Note& note) const {
  SR_TRY(const std::size_t seen, count(note));
  if (seen == 0) return fail({ErrorCode::permission_denied, "note is not signed by the key"});
  return {};
}

}  // namespace strongroom::audit

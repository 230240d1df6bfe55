// Signed notes (C2SP signed-note v1.0.0) with Ed25519 keys: text that anyone can read, with
// signature lines below it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/signer.h"

namespace strongroom::audit {

inline constexpr std::size_t kNoteBytesMax = std::size_t{16} << 10;
inline constexpr std::size_t kNoteSignaturesMax = 32;

// What a key signs.
enum class NoteKeyType : std::uint8_t {
  ed25519 = 0x01,      // the text: the author's key
  cosignature = 0x04,  // the text and a time (cosignature.h): a witness's key
};

// Who signs: the name, and the public key that the key id is derived from.
struct NoteKey {
  std::string name;
  crypto::Ed25519PublicKey public_key{};
  NoteKeyType type = NoteKeyType::ed25519;

  // First four bytes of SHA-256(name || 0x0A || type || public key), big-endian.
  [[nodiscard]] std::uint32_t id() const;
  // The vkey: name "+" hex8(id) "+" base64(type || public key).
  [[nodiscard]] std::string text() const;
  // invalid_argument: not a vkey, another type of key, or an id that is not the key's.
  [[nodiscard]] static Result<NoteKey> parse(std::string_view vkey,
                                             NoteKeyType type = NoteKeyType::ed25519);
};

// True for a name that a key may have: UTF-8, not empty, without "+", spaces and control
// characters.
[[nodiscard]] bool is_key_name(std::string_view name) noexcept;

struct NoteSignature {
  std::string name;
  std::uint32_t key_id = 0;
  std::vector<std::byte> signature;  // the bytes behind the key id
};

struct Note {
  std::string text;  // ends in a newline, which is signed too
  std::vector<NoteSignature> signatures;
};

// invalid_argument: not of a note's form; too_large.
[[nodiscard]] Result<Note> parse_note(std::string_view bytes);

// The line of a signature: em dash, name, base64 of key id and signature; with its newline.
[[nodiscard]] std::string signature_line(const NoteKey& key, std::span<const std::byte> signature);

// `text`, signed under `name`. REQUIRES: text ends in a newline; is_key_name(name).
[[nodiscard]] std::string sign_note(std::string_view text, std::string_view name,
                                    const crypto::Ed25519Signer& signer);

// NoteVerifier checks the notes of one author's key. Thread-safe.
class NoteVerifier {
 public:
  // invalid_argument unless the key's type is ed25519.
  [[nodiscard]] static Result<NoteVerifier> create(NoteKey key);
  [[nodiscard]] const NoteKey& key() const noexcept { return key_; }
  // How many signatures of this key `note` carries; those of other keys do not count.
  // permission_denied: one of them does not verify.
  [[nodiscard]] Result<std::size_t> count(const Note& note) const;
  // permission_denied unless `note` carries a signature of this key and every one of them verifies.
  [[nodiscard]] Result<void> verify(const Note& note) const;

 private:
  NoteVerifier(NoteKey key, crypto::Ed25519Verifier verifier);
  NoteKey key_;
  std::uint32_t key_id_;
  crypto::Ed25519Verifier verifier_;
};

}  // namespace strongroom::audit

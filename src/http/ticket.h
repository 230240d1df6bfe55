// Tickets: who acts, for which merchant, with which rights; signed by authd, believed by the
// services without a call. A ticket is a compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037)
// and nothing else: no other algorithm, no key in the header, no negotiation.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace strongroom::http {

// Ticket is the content of one. Times are seconds since the Unix epoch.
struct Ticket {
  std::string subject;   // `sub`: who acts, "key_..." or "user_..."
  std::string merchant;  // empty for platform roles without a merchant
  std::string role;
  std::vector<std::string> scopes{};
  bool mfa = false;
  std::int64_t issued_at_s = 0;
  std::int64_t expires_at_s = 0;
  std::string id_hash{};  // hex SHA-256 of the ticket's text; set by the verifier, names it in logs

  // True from expires_at_s on: then the ticket counts only where a route takes late ones.
  [[nodiscard]] bool has_ended(std::int64_t now_us) const noexcept {
    return now_us / 1'000'000 >= expires_at_s;
  }
};

inline constexpr std::int64_t kTicketLifetimeMaxS = 60;
inline constexpr std::int64_t kTicketSkewMaxS = 5;  // a clock may run ahead this much
inline constexpr std::size_t kTicketBytesMax = 4096;

// TicketSigner makes tickets with one key. Thread-safe.
class TicketSigner {
 public:
  // `seed` is the 32-byte Ed25519 private key, `kid` its name: 1 to 64 of [A-Za-z0-9._-].
  // invalid_argument.
  [[nodiscard]] static Result<TicketSigner> create(SecretBytes seed, std::string kid);
  TicketSigner(TicketSigner&&) noexcept;
  TicketSigner& operator=(TicketSigner&&) noexcept;
  ~TicketSigner();

  // The compact JWS. The ticket's times are the caller's; id_hash is not part of it.
  // invalid_argument: the lifetime is not within 1 to kTicketLifetimeMaxS, or the text is too long.
  [[nodiscard]] Result<std::string> sign(const Ticket& ticket) const;
  // "kid base64-public-key": this signer's line of the public key file.
  [[nodiscard]] std::string public_key_line() const;

 private:
  struct Impl;
  explicit TicketSigner(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// TicketVerifier knows the public keys and which tickets it has verified lately (a bounded cache by
// SHA-256 of the text, so a ticket in use costs one hash). Thread-safe.
class TicketVerifier {
 public:
  // `key_lines`: lines "kid base64-public-key"; empty lines and lines that start with '#' are
  // skipped. invalid_argument with the line's number as detail. `clock` outlives the verifier.
  [[nodiscard]] static Result<TicketVerifier> create(std::string_view key_lines, const Clock& clock,
                                                     std::size_t cache_entries_max = 4096);
  TicketVerifier(TicketVerifier&&) noexcept;
  TicketVerifier& operator=(TicketVerifier&&) noexcept;
  ~TicketVerifier();

  // Replaces the keys and empties the cache; on invalid_argument nothing changes.
  [[nodiscard]] Result<void> reload(std::string_view key_lines);
  // The ticket in `text`. `late_max` is how long after `exp` it still counts: zero, but for
  // settling a payment whose answer was lost. permission_denied: not of the exact form, another
  // algorithm, unknown kid, bad signature, expired, issued more than kTicketSkewMaxS ahead, living
  // longer than kTicketLifetimeMaxS.
  [[nodiscard]] Result<Ticket> verify(std::string_view text,
                                      std::chrono::seconds late_max = {}) const;

 private:
  struct Impl;
  explicit TicketVerifier(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// Names a credential (the value of an Authorization field) without holding it: SHA-256, enough for
// secrets of 128 random bits and more, which nobody can try out.
using CredentialDigest = std::array<std::byte, 32>;
[[nodiscard]] CredentialDigest credential_digest(std::string_view credential);

}  // namespace strongroom::http

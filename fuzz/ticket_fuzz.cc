// Tickets of a known key with any header and claims: the input's first line is the header, the rest
// the claims, signed. The input as it stands is tried, too.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/signer.h"
#include "http/ticket.h"

namespace strongroom::http {
namespace {

class FixedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return 1'800'000'000'000'000; }
};

// What the signer makes of an accepted ticket must be accepted with the same content.
void check_again(const TicketSigner& signer, const TicketVerifier& verifier, const Ticket& ticket) {
  const auto text = signer.sign(ticket);
  SR_CHECK(text.has_value());
  const auto again = verifier.verify(*text);
  SR_CHECK(again.has_value());
  SR_CHECK(again->subject == ticket.subject && again->merchant == ticket.merchant);
  SR_CHECK(again->role == ticket.role && again->scopes == ticket.scopes);
  SR_CHECK(again->mfa == ticket.mfa && again->expires_at_s == ticket.expires_at_s);
}

void check(std::string_view text) {
  static const FixedClock clock;
  static const auto seed = SecretBytes::allocate(32);  // all zeros: a key for fuzzing only
  static const auto key = crypto::Ed25519Signer::from_seed(*seed);
  static const auto signer = TicketSigner::create(*SecretBytes::copy_of(seed->reveal()), "k1");
  static const auto verifier = TicketVerifier::create(signer->public_key_line(), clock);
  (void)verifier->verify(text);

  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return;
  std::string jws = base64url(as_bytes(text.substr(0, line)));
  jws.append(".").append(base64url(as_bytes(text.substr(line + 1))));
  jws.append(".").append(base64url(key->sign(as_bytes(jws))));
  const auto ticket = verifier->verify(jws);
  if (!ticket) return;
  SR_CHECK(text.substr(0, line) == R"({"alg":"EdDSA","kid":"k1","typ":"JWT"})");
  SR_CHECK(ticket->expires_at_s - ticket->issued_at_s <= kTicketLifetimeMaxS);
  check_again(*signer, *verifier, *ticket);
}

}  // namespace
}  // namespace strongroom::http

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::http::check({reinterpret_cast<const char*>(data), size});
  return 0;
}

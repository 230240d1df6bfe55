// Tickets as compact JWS. The header is compared as text, so there is nothing in it to negotiate.
#include "http/ticket.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "crypto/signer.h"
#include "wire/json.h"

namespace strongroom::http {
namespace {

namespace json = boost::json;
using crypto::Sha256Digest;

constexpr std::string_view kHeaderBegin = R"({"alg":"EdDSA","kid":")";
constexpr std::string_view kHeaderEnd = R"(","typ":"JWT"})";
constexpr std::size_t kKidSizeMax = 64;
constexpr std::size_t kNameSizeMax = 128;
constexpr std::size_t kScopesMax = 64;

bool is_kid(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kKidSizeMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string claims_json(const Ticket& ticket) {
  json::array scopes;
  for (const std::string& scope : ticket.scopes) scopes.emplace_back(scope);
  return json::serialize(json::object{{"sub", ticket.subject},
                                      {"merchant", ticket.merchant},
                                      {"role", ticket.role},
                                      {"scopes", std::move(scopes)},
                                      {"mfa", ticket.mfa},
                                      {"iat", ticket.issued_at_s},
                                      {"exp", ticket.expires_at_s}});
}

bool read_scopes(const json::array& array, std::vector<std::string>& scopes) {
  for (const json::value& element : array) {
    const json::string* scope = element.if_string();
    if (scope == nullptr || scope->empty() || scope->size() > kNameSizeMax) return false;
    scopes.emplace_back(scope->data(), scope->size());
  }
  return true;
}

// The claims, which are all required; empty when there is any other shape.
std::optional<Ticket> parse_claims(std::string_view text) {
  constexpr std::int64_t kTimeMax = std::int64_t{1} << 40;
  const auto value = wire::parse_strict(text, {});
  if (!value || !value->is_object()) return std::nullopt;
  wire::ObjectReader reader(value->get_object());
  Ticket ticket;
  ticket.subject = reader.text("#/sub", {.min = 1, .max = kNameSizeMax});
  ticket.merchant = reader.text("#/merchant", {.min = 0, .max = kNameSizeMax});
  ticket.role = reader.text("#/role", {.min = 1, .max = kNameSizeMax});
  const json::array* scopes = reader.array("#/scopes", kScopesMax);
  ticket.mfa = reader.flag("#/mfa");
  ticket.issued_at_s = reader.integer("#/iat", 0, kTimeMax);
  ticket.expires_at_s = reader.integer("#/exp", 0, kTimeMax);
  if (reader.finish() || !read_scopes(*scopes, ticket.scopes)) return std::nullopt;
  return ticket;
}

bool lifetime_is_sound(const Ticket& ticket) noexcept {
  const std::int64_t lifetime_s = ticket.expires_at_s - ticket.issued_at_s;
  return lifetime_s >= 1 && lifetime_s <= kTicketLifetimeMaxS;
}

// A JWS in its parts; `signed_text` is what the signature is over.
struct Jws {
  std::string kid;
  std::string_view signed_text;
  std::vector<std::byte> claims;
  std::vector<std::byte> signature;
};

std::optional<std::string> kid_of(std::string_view header) {
  if (!header.starts_with(kHeaderBegin) || !header.ends_with(kHeaderEnd) ||
      header.size() < kHeaderBegin.size() + kHeaderEnd.size()) {
    return std::nullopt;
  }
  header.remove_prefix(kHeaderBegin.size());
  header.remove_suffix(kHeaderEnd.size());
  return is_kid(header) ? std::optional(std::string(header)) : std::nullopt;
}

std::optional<Jws> split_jws(std::string_view text) {
  const std::size_t first = text.find('.');
  const std::size_t second = text.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const auto header = parse_base64url(text.substr(0, first));
  auto claims = parse_base64url(text.substr(first + 1, second - first - 1));
  auto signature = parse_base64url(text.substr(second + 1));
  if (!header || !claims || !signature) return std::nullopt;
  auto kid = kid_of(as_text(*header));
  if (!kid) return std::nullopt;
  return Jws{.kid = *std::move(kid),
             .signed_text = text.substr(0, second),
             .claims = *std::move(claims),
             .signature = *std::move(signature)};
}

using Keys = std::map<std::string, crypto::Ed25519Verifier, std::less<>>;

// One line of the key file.
Result<void> add_key(std::string_view line, Keys& keys) {
  const std::size_t space = line.find(' ');
  const std::string_view kid = line.substr(0, space);
  if (space == std::string_view::npos || !is_kid(kid)) {
    return fail({ErrorCode::invalid_argument, "a ticket key line is not 'kid base64-key'"});
  }
  const auto bytes = parse_base64(line.substr(space + 1));
  if (!bytes) return fail({ErrorCode::invalid_argument, "a ticket key is not base64"});
  SR_TRY(crypto::Ed25519Verifier key, crypto::Ed25519Verifier::create(*bytes));
  if (!keys.try_emplace(std::string(kid), std::move(key)).second) {
    return fail({ErrorCode::invalid_argument, "a ticket key's name stands twice"});
  }
  return {};
}

Result<Keys> parse_keys(std::string_view lines) {
  Keys keys;
  for (std::uint32_t number = 1; !lines.empty(); ++number) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (auto added = add_key(line, keys); !added) {
      return fail(added.error().with_detail(number));
    }
  }
  return keys;
}

// The digest is uniform, so any eight bytes of it are a good hash.
struct DigestHash {
  std::size_t operator()(const Sha256Digest& digest) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, digest.data(), sizeof value);
    return value;
  }
};

}  // namespace

struct TicketSigner::Impl {
  crypto::Ed25519Signer key;
  std::string kid;
};

TicketSigner::TicketSigner(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TicketSigner::TicketSigner(TicketSigner&&) noexcept = default;
TicketSigner& TicketSigner::operator=(TicketSigner&&) noexcept = default;
TicketSigner::~TicketSigner() = default;

Result<TicketSigner> TicketSigner::create(SecretBytes seed, std::string kid) {
  if (!is_kid(kid))
    return fail({ErrorCode::invalid_argument, "the ticket key's name is not valid"});
  SR_TRY(crypto::Ed25519Signer key, crypto::Ed25519Signer::from_seed(seed));
  return TicketSigner(std::make_unique<Impl>(Impl{.key = std::move(key), .kid = std::move(kid)}));
}

Result<std::string> TicketSigner::sign(const Ticket& ticket) const {
  if (!lifetime_is_sound(ticket)) {
    return fail({ErrorCode::invalid_argument, "a ticket lives 1 to 60 seconds"});
  }
  const std::string claims = claims_json(ticket);
  // What the verifiers would refuse must not be signed.
  if (!parse_claims(claims)) {
    return fail({ErrorCode::invalid_argument, "a ticket's names are missing or too long"});
  }
  std::string text =
      base64url(as_bytes(fmt::format("{}{}{}", kHeaderBegin, impl_->kid, kHeaderEnd)));
  text.append(".").append(base64url(as_bytes(claims)));
  const crypto::Ed25519Signature signature = impl_->key.sign(as_bytes(text));
  text.append(".").append(base64url(signature));
  if (text.size() > kTicketBytesMax) {
    return fail({ErrorCode::invalid_argument, "the ticket is too long"});
  }
  return text;
}

std::string TicketSigner::public_key_line() const {
  return fmt::format("{} {}", impl_->kid, base64(impl_->key.public_key()));
}

// Verified tickets by the hash of their text. The oldest makes room: tickets live a minute, so the
// order of arrival is nearly that of expiry. Signatures are verified outside the lock.
struct TicketVerifier::Impl {
  const Clock& clock;
  std::size_t cache_entries_max;
  std::mutex mutex;
  std::shared_ptr<const Keys>
      keys;  // shared: a verification under way keeps the keys it began with
  std::unordered_map<Sha256Digest, Ticket, DigestHash> cache;
  std::deque<Sha256Digest> order;

  std::optional<Ticket> find(const Sha256Digest& digest) {
    const std::scoped_lock lock(mutex);
    const auto found = cache.find(digest);
    if (found == cache.end()) return std::nullopt;
    return found->second;
  }

  std::shared_ptr<const Keys> current_keys() {
    const std::scoped_lock lock(mutex);
    return keys;
  }

  // Not when the keys changed meanwhile: a ticket of a key that was withdrawn must not stay.
  void remember(const Sha256Digest& digest, const Ticket& ticket,
                const std::shared_ptr<const Keys>& verified_with) {
    const std::scoped_lock lock(mutex);
    if (keys != verified_with || cache_entries_max == 0) return;
    if (!cache.try_emplace(digest, ticket).second) return;
    order.push_back(digest);
    if (order.size() <= cache_entries_max) return;
    cache.erase(order.front());
    order.pop_front();
  }

  std::optional<Ticket> verify_signature(std::string_view text, const Sha256Digest& digest) {
    const auto jws = split_jws(text);
    if (!jws) return std::nullopt;
    const std::shared_ptr<const Keys> known = current_keys();
    const auto key = known->find(jws->kid);
    if (key == known->end() || !key->second.verify(as_bytes(jws->signed_text), jws->signature)) {
      return std::nullopt;
    }
    auto ticket = parse_claims(as_text(jws->claims));
    if (!ticket || !lifetime_is_sound(*ticket)) return std::nullopt;
    ticket->id_hash = hex(digest);
    remember(digest, *ticket, known);
    return ticket;
  }
};

TicketVerifier::TicketVerifier(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TicketVerifier::TicketVerifier(TicketVerifier&&) noexcept = default;
TicketVerifier& TicketVerifier::operator=(TicketVerifier&&) noexcept = default;
TicketVerifier::~TicketVerifier() = default;

Result<TicketVerifier> TicketVerifier::create(std::string_view key_lines, const Clock& clock,
                                              std::size_t cache_entries_max) {
  SR_TRY(Keys keys, parse_keys(key_lines));
  auto impl = std::make_unique<Impl>(clock, cache_entries_max);
  impl->keys = std::make_shared<const Keys>(std::move(keys));
  return TicketVerifier(std::move(impl));
}

Result<void> TicketVerifier::reload(std::string_view key_lines) {
  SR_TRY(Keys keys, parse_keys(key_lines));
  auto replacement = std::make_shared<const Keys>(std::move(keys));
  const std::scoped_lock lock(impl_->mutex);
  impl_->keys = std::move(replacement);
  impl_->cache.clear();
  impl_->order.clear();
  return {};
}

Result<Ticket> TicketVerifier::verify(std::string_view text, std::chrono::seconds late_max) const {
  constexpr Error kDenied{ErrorCode::permission_denied, "the ticket is not valid"};
  if (text.empty() || text.size() > kTicketBytesMax) return fail(kDenied);
  const Sha256Digest digest = crypto::sha256(as_bytes(text));
  std::optional<Ticket> ticket = impl_->find(digest);
  if (!ticket) ticket = impl_->verify_signature(text, digest);
  if (!ticket) return fail(kDenied);
  const std::int64_t now_s = impl_->clock.now_us() / 1'000'000;
  if (ticket->issued_at_s > now_s + kTicketSkewMaxS) return fail(kDenied);
  if (now_s >= ticket->expires_at_s + late_max.count()) return fail(kDenied);
  return *std::move(ticket);
}

CredentialDigest credential_digest(std::string_view credential) {
  return crypto::sha256(as_bytes(credential));
}

}  // namespace strongroom::http

// `head | nonce | ciphertext | tag`. The AEAD makes and takes sealed blobs of its own form, which
// begins with format and key version: here the head says both, and much more.
#include "cde/connectors/sealer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

constexpr std::byte kFormat{1};
constexpr std::size_t kNonceOffset = 5;  // of crypto::Sealed: behind format and key version
constexpr Error kOtherForm{ErrorCode::permission_denied,
                           "a sealed blob's content has another form"};
constexpr Error kNotSealable{ErrorCode::invalid_argument, "cannot be sealed: empty or too long"};

using Fields = std::vector<std::span<const std::byte>>;

bool fits(std::size_t size, std::size_t size_max) noexcept { return size > 0 && size <= size_max; }

// `01 | key version u32be | kind | length u8, connector | length u8, account id`.
std::vector<std::byte> head_bytes(const wire::SealedHead& head) {
  std::vector<std::byte> bytes{kFormat};
  append_u32be(bytes, head.key_version);
  bytes.push_back(static_cast<std::byte>(head.kind));
  for (const std::string_view name : {head.connector, head.account_id}) {
    bytes.push_back(static_cast<std::byte>(name.size()));
    append_bytes(bytes, as_bytes(name));
  }
  return bytes;
}

// `length u16be | bytes` each.
Result<SecretBytes> join(const Fields& fields) {
  std::size_t size = 0;
  for (const auto field : fields) size += 2 + field.size();
  SR_TRY(SecretBytes plain, SecretBytes::allocate(size));
  auto out = plain.reveal().begin();
  for (const auto field : fields) {
    *out++ = static_cast<std::byte>(field.size() >> 8);
    *out++ = static_cast<std::byte>(field.size());
    out = std::ranges::copy(field, out).out;
  }
  return plain;
}

// The fields of `plain`, which they point into; all of it, and none of them empty.
Result<Fields> split(std::span<const std::byte> plain) {
  Fields fields;
  while (!plain.empty()) {
    if (plain.size() < 2) return fail(kOtherForm);
    const std::size_t size =
        std::to_integer<std::size_t>(plain[0]) << 8 | std::to_integer<std::size_t>(plain[1]);
    plain = plain.subspan(2);
    if (size == 0 || size > plain.size()) return fail(kOtherForm);
    fields.push_back(plain.first(size));
    plain = plain.subspan(size);
  }
  return fields;
}

// What both directions ask of content.
bool is_sound(const Account& account) noexcept {
  return fits(account.merchant.size(), kMerchantBytesMax) &&
         fits(account.credential.size(), kCredentialBytesMax);
}
bool is_sound(const ProcessorToken& token) noexcept {
  return fits(token.merchant.size(), kMerchantBytesMax) &&
         fits(token.ids.size(), kProcessorIdsMax) &&
         std::ranges::all_of(token.ids, [](const std::string& id) {
           return fits(id.size(), kProcessorIdBytesMax);
         });
}

crypto::Context context_of(std::span<const std::byte> head) {
  crypto::Context context("strongroom/connector-seal/1");
  context.add(head);
  return context;
}

}  // namespace

Sealer::Sealer(std::string connector, const SealKeys& keys, crypto::Random& random)
    : connector_(std::move(connector)), keys_(keys), random_(random) {
  SR_CHECK(wire::is_connector_name(connector_) && !keys_.empty());
}

Result<std::string> Sealer::seal(wire::SealedKind kind, std::string_view account_id,
                                 const SecretBytes& plain) const {
  if (!wire::is_account_id(account_id)) return fail(kNotSealable);
  const crypto::Aead& key = keys_.front();
  std::vector<std::byte> blob = head_bytes({.key_version = key.key_version(),
                                            .kind = kind,
                                            .connector = connector_,
                                            .account_id = std::string(account_id)});
  const crypto::Context context = context_of(blob);
  SR_TRY(const crypto::Sealed sealed, key.seal(random_, plain.reveal(), context.bytes()));
  append_bytes(blob, sealed.bytes().subspan(kNonceOffset));
  return base64url(blob);
}

Result<Sealer::Opened> Sealer::open(std::string_view text, wire::SealedKind kind) const {
  SR_TRY(wire::SealedHead head, wire::parse_sealed_text(text));
  if (head.kind != kind || head.connector != connector_) {
    return fail({ErrorCode::invalid_argument, "a blob of another kind or connector"});
  }
  const auto key = std::ranges::find(keys_, head.key_version, &crypto::Aead::key_version);
  if (key == keys_.end()) {
    return fail({ErrorCode::permission_denied, "sealed under a key that is not here"});
  }
  const std::vector<std::byte> blob = *parse_base64url(text);
  const auto head_part = std::span(blob).first(head.size);
  std::vector<std::byte> stored(blob.begin(), blob.begin() + kNonceOffset);
  append_bytes(stored, std::span(blob).subspan(head.size));
  SR_TRY(const crypto::Sealed sealed, crypto::Sealed::from_stored(stored));
  SR_TRY(SecretBytes plain, key->open(sealed, context_of(head_part).bytes()));
  return Opened{std::move(head), std::move(plain)};
}

Result<std::string> Sealer::seal(const Account& account) const {
  if (!is_sound(account)) return fail(kNotSealable);
  SR_TRY(const SecretBytes plain, join({as_bytes(account.merchant), account.credential.reveal()}));
  return seal(wire::SealedKind::account, account.id, plain);
}

Result<std::string> Sealer::seal(const ProcessorToken& token) const {
  if (!is_sound(token)) return fail(kNotSealable);
  Fields fields{as_bytes(token.merchant)};
  for (const std::string& id : token.ids) fields.push_back(as_bytes(id));
  SR_TRY(const SecretBytes plain, join(fields));
  return seal(wire::SealedKind::processor_token, token.account_id, plain);
}

Result<Account> Sealer::open_account(std::string_view text) const {
  SR_TRY(Opened opened, open(text, wire::SealedKind::account));
  SR_TRY(const Fields fields, split(opened.plain.reveal()));
  if (fields.size() != 2) return fail(kOtherForm);
  SR_TRY(SecretBytes credential, SecretBytes::copy_of(fields[1]));
  Account account{std::move(opened.head.account_id), std::string(as_text(fields[0])),
                  std::move(credential)};
  if (!is_sound(account)) return fail(kOtherForm);
  return account;
}

Result<ProcessorToken> Sealer::open_processor_token(std::string_view text) const {
  SR_TRY(Opened opened, open(text, wire::SealedKind::processor_token));
  SR_TRY(const Fields fields, split(opened.plain.reveal()));
  if (fields.empty()) return fail(kOtherForm);
  ProcessorToken token{std::move(opened.head.account_id), std::string(as_text(fields[0])), {}};
  for (const auto field : std::span(fields).subspan(1)) token.ids.emplace_back(as_text(field));
  if (!is_sound(token)) return fail(kOtherForm);
  return token;
}

}  // namespace strongroom::cde

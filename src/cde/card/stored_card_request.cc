// Reading and writing a request to store a card at its processor.
#include "cde/card/stored_card_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "cde/card/secret_resource.h"
#include "wire/json.h"
#include "wire/sealed_head.h"

namespace strongroom::cde {
namespace {

using wire::Problem;
using wire::ProblemType;
template <class T>
using Parsed = std::expected<T, Problem>;

bool is_printable(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

Parsed<StoredCardRequest> read(const boost::json::object& body, Profile profile) {
  wire::ObjectReader reader(body);
  const auto account = reader.text("#/account", {1, wire::kSealedTextBytesMax});
  const auto key = reader.text("#/idempotency_key", {1, kIdempotencyKeyBytesMax});
  const boost::json::object* card = reader.object("#/card");
  if (!is_printable(key)) {
    reader.refuse({ProblemType::invalid_value, "must be printable ASCII", "#/idempotency_key"});
  }
  if (looks_like_pan(key)) {
    reader.refuse({ProblemType::looks_like_card_data, "a key must not hold a card number",
                   "#/idempotency_key"});
  }
  if (auto problem = reader.finish()) return std::unexpected(*problem);
  SR_TRY(CardFields fields, read_card_fields(*card, profile, std::nullopt));
  return StoredCardRequest{std::string(account), std::string(key), std::move(fields)};
}

constexpr std::size_t kEscapeBytesMax = 6;  // one byte as "\u001f"
constexpr std::size_t kJsonBytes = 160;     // the members' names, and numbers

// Appends to a block of the secret arena that is large enough.
class SecretWriter {
 public:
  explicit SecretWriter(std::span<std::byte> out) : out_(out) {}

  SecretWriter& raw(std::string_view text) {
    SR_CHECK(text.size() <= out_.size() - size_);
    std::ranges::copy(as_bytes(text), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
    return *this;
  }
  SecretWriter& number(int value) {
    std::array<char, 11> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return raw({digits.data(), end});
  }
  // The inside of a JSON string (RFC 8259 section 7).
  SecretWriter& escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const char& c : text) {
      const auto code = static_cast<unsigned char>(c);
      if (code < 0x20) {
        raw("\\u00").raw(kHex.substr(code >> 4, 1)).raw(kHex.substr(code & 0xfU, 1));
      } else {
        if (c == '"' || c == '\\') raw("\\");
        raw({&c, 1});
      }
    }
    return *this;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::span<std::byte> out_;
  std::size_t size_ = 0;
};

}  // namespace

Result<SecretBytes> stored_card_request_json(const CardToStore& card) {
  const std::string_view digits = card.pan.reveal(PanReveal::grant());
  const std::string_view code =
      card.cvc == nullptr ? std::string_view() : card.cvc->reveal(CvcReveal::grant());
  SR_TRY(SecretBytes json,
         SecretBytes::allocate(kJsonBytes + card.account.size() + card.idempotency_key.size() +
                               digits.size() + code.size() + card.name.size() * kEscapeBytesMax));
  SecretWriter out(json.reveal());
  out.raw(R"({"account":")").raw(card.account).raw(R"(","idempotency_key":")");
  out.raw(card.idempotency_key).raw(R"(","card":{"number":")").raw(digits);
  out.raw(R"(","exp_month":)").number(card.expiry.month());
  out.raw(R"(,"exp_year":)").number(card.expiry.year());
  if (card.cvc != nullptr) out.raw(R"(,"cvc":")").raw(code).raw("\"");
  if (!card.name.empty()) out.raw(R"(,"name":")").escaped(as_text(card.name)).raw("\"");
  out.raw("}}");
  json.shrink(out.size());
  return json;
}

Parsed<StoredCardRequest> parse_stored_card_request(std::span<const std::byte> body,
                                                    Profile profile) {
  auto memory = SecretResource::create(body.size() * 4 + 2048);
  if (!memory) return std::unexpected(kCardMemoryFull);
  try {
    SR_TRY(const auto value, wire::parse_strict(as_text(body), boost::json::storage_ptr(&*memory)));
    SR_TRY(const boost::json::object* object, wire::as_object(value));
    return read(*object, profile);
  } catch (const std::bad_alloc&) {
    return std::unexpected(kCardMemoryFull);
  }
}

}  // namespace strongroom::cde

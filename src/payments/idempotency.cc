// Keys, canonical bodies and the table of decisions.
#include "payments/idempotency.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <vector>

#include "base/encoding.h"
#include "base/pan_scan.h"

namespace strongroom::payments {
namespace {

namespace json = boost::json;
using wire::Problem;
using wire::ProblemType;

constexpr Problem kMissing{ProblemType::idempotency_key_missing, "send one with what moves money",
                           "Idempotency-Key"};
constexpr Problem kSyntax{
    ProblemType::invalid_value,
    "takes 1 to 255 printable ASCII characters; blanks, quotes and backslashes only"
    " in a quoted string",
    "Idempotency-Key"};
constexpr Problem kCard{ProblemType::looks_like_card_data, "a key must not hold a card number",
                        "Idempotency-Key"};

bool is_printable(char c) noexcept { return c >= 0x20 && c <= 0x7e; }

// The text between the quotes; empty when it is not a String of RFC 8941.
std::optional<std::string> unquote(std::string_view field) {
  if (field.size() < 2 || field.back() != '"') return std::nullopt;
  std::string text;
  for (std::size_t i = 1; i + 1 < field.size(); ++i) {
    char c = field[i];
    if (c == '"' || !is_printable(c)) return std::nullopt;
    if (c == '\\') {
      if (++i + 1 >= field.size()) return std::nullopt;
      c = field[i];
      if (c != '"' && c != '\\') return std::nullopt;
    }
    text.push_back(c);
  }
  return text;
}

bool is_bare(std::string_view field) noexcept {
  return std::ranges::all_of(
      field, [](char c) { return is_printable(c) && c != ' ' && c != '"' && c != '\\'; });
}

// The depth is bounded by the parser, so recursion is too.
void append_canonical(std::string& out, const json::value& value) {
  if (const json::object* object = value.if_object()) {
    std::vector<const json::key_value_pair*> members;
    for (const json::key_value_pair& member : *object) members.push_back(&member);
    std::ranges::sort(members, {}, [](const auto* member) { return member->key(); });
    char separator = '{';
    for (const json::key_value_pair* member : members) {
      out.push_back(separator);
      out.append(json::serialize(json::value(member->key()))).push_back(':');
      append_canonical(out, member->value());
      separator = ',';
    }
    out.append(members.empty() ? "{}" : "}");
  } else if (const json::array* array = value.if_array()) {
    char separator = '[';
    for (const json::value& element : *array) {
      out.push_back(separator);
      append_canonical(out, element);
      separator = ',';
    }
    out.append(array->empty() ? "[]" : "]");
  } else {
    out.append(json::serialize(value));
  }
}

void append_part(std::string& out, std::string_view part) {
  std::vector<std::byte> size;
  append_u32be(size, static_cast<std::uint32_t>(part.size()));
  out.append(as_text(size)).append(part);
}

}  // namespace

std::expected<std::string, Problem> parse_idempotency_key(std::string_view field) {
  if (field.empty()) return std::unexpected(kMissing);
  const bool quoted = field.front() == '"';
  std::optional<std::string> key = quoted ? unquote(field) : std::string(field);
  if (!key || key->empty() || key->size() > kIdempotencyKeyBytesMax ||
      (!quoted && !is_bare(*key))) {
    return std::unexpected(looks_like_pan(field) ? kCard : kSyntax);
  }
  if (looks_like_pan(*key)) return std::unexpected(kCard);
  return *std::move(key);
}

std::string fingerprint_text(std::string_view method, std::string_view route,
                             const json::value& body) {
  std::string canonical;
  append_canonical(canonical, body);
  std::string text;
  append_part(text, method);
  append_part(text, route);
  append_part(text, canonical);
  return text;
}

IdempotencyDecision decide(const std::optional<IdempotencyRecord>& known,
                           const RequestFingerprint& fingerprint) noexcept {
  if (!known) return IdempotencyDecision::first;
  if (known->fingerprint != fingerprint) return IdempotencyDecision::mismatch;
  return known->running ? IdempotencyDecision::in_progress : IdempotencyDecision::replay;
}

}  // namespace strongroom::payments

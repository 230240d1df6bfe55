// Strict parsing of paths and queries.
#include "connected/relay/requests.h"

#include <algorithm>
#include <array>
#include <utility>

#include "audit/entry_names.h"
#include "audit/lines.h"
#include "audit/logs.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

using http::Request;
using wire::Literal;
using wire::Problem;
using wire::ProblemType;

constexpr std::size_t kCursorBytes = 16;
constexpr char kFirstLetter = 'a';

Problem invalid(Literal detail, Literal pointer) {
  return {ProblemType::invalid_value, detail, pointer};
}

// A filter's text; empty where absent.
Answer<std::string> filter(const Request& request, std::string_view name, Literal pointer) {
  std::string text = request.query_parameter(name).value_or("");
  if (text.size() > audit::kFieldBytesMax) {
    return std::unexpected(invalid("must have at most 256 bytes", pointer));
  }
  if (looks_like_pan(text)) {
    return std::unexpected(Problem{.type = ProblemType::looks_like_card_data, .pointer = pointer});
  }
  return text;
}

// Milliseconds, upwards, so that an entry of that very millisecond is on the side it says.
Answer<std::int64_t> time_ms(const Request& request, std::string_view name, Literal pointer,
                             std::int64_t otherwise) {
  const auto text = request.query_parameter(name);
  if (!text) return otherwise;
  const auto time_us = parse_rfc3339(*text);
  if (!time_us) {
    return std::unexpected(invalid("must be a time of RFC 3339, as 2026-11-22T10:00:00Z", pointer));
  }
  return (*time_us + 999) / 1'000;
}

Answer<std::string> type_filter(const Request& request) {
  SR_TRY(std::string type, filter(request, "type", "?type"));
  const bool known = std::ranges::any_of(
      audit::kEventTypes, [&](const audit::EventTypeRow& row) { return row.text == type; });
  if (!type.empty() && !known) {
    return std::unexpected(invalid("must be an event type, as token.create", "?type"));
  }
  return type;
}

}  // namespace

std::optional<std::string> log_of_path(std::string_view owner, std::string_view shard) {
  // A shard has no dash, or else it could name part of another owner.
  if (shard.contains('-')) return std::nullopt;
  std::string name(owner);
  name.append("-").append(shard);
  if (!audit::is_log_name(name)) return std::nullopt;
  return name;
}

std::optional<std::uint64_t> parse_index(std::string_view text) {
  return audit::parse_decimal(text);
}

Answer<SearchQuery> parse_search(const Request& request) {
  SearchQuery query;
  SR_TRY(std::string owner, filter(request, "merchant", "?merchant"));
  if (!owner.empty()) query.owner = std::move(owner);
  SR_TRY(query.resource, filter(request, "token", "?token"));
  SR_TRY(query.actor, filter(request, "actor", "?actor"));
  SR_TRY(query.type, type_filter(request));
  SR_TRY(query.request_id, filter(request, "request", "?request"));
  SR_TRY(query.from_ms, time_ms(request, "from", "?from", query.from_ms));
  SR_TRY(query.to_ms, time_ms(request, "to", "?to", query.to_ms));
  if (const auto after = request.query_parameter("after")) {
    const auto place = parse_cursor(*after);
    if (!place) return std::unexpected(invalid("must be the last answer's next", "?after"));
    query.before = *place;
  }
  SR_TRY(query.limit, http::page_limit(request, kPageSizeMax));
  return query;
}

std::string cursor_text(const SearchPlace& place) {
  std::vector<std::byte> bytes;
  bytes.reserve(kCursorBytes);
  append_u64be(bytes, static_cast<std::uint64_t>(place.time_ms));
  append_u64be(bytes, static_cast<std::uint64_t>(place.id));
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text.push_back(static_cast<char>(kFirstLetter + static_cast<char>(value >> 4)));
    text.push_back(static_cast<char>(kFirstLetter + static_cast<char>(value & 15)));
  }
  return text;
}

std::optional<SearchPlace> parse_cursor(std::string_view text) {
  if (text.size() != 2 * kCursorBytes) return std::nullopt;
  std::array<std::byte, kCursorBytes> bytes{};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int digit = text[i] - kFirstLetter;
    if (digit < 0 || digit > 15) return std::nullopt;
    bytes[i / 2] = (bytes[i / 2] << 4) | static_cast<std::byte>(digit);
  }
  const std::span<const std::byte> all(bytes);
  return SearchPlace{.time_ms = static_cast<std::int64_t>(read_u64be(all)),
                     .id = static_cast<std::int64_t>(read_u64be(all.subspan(8)))};
}

}  // namespace strongroom::connected::relay

// read_entry: a cursor over the one form that to_json writes. Nothing is searched or skipped: what
// does not stand where it must ends the reading.
#include <algorithm>
#include <charconv>

#include "audit/entry_names.h"
#include "audit/entry_text.h"
#include "audit/entry_view.h"
#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

bool digits_or_masked(std::string_view text, std::size_t min, std::size_t max) {
  if (text == kMasked) return true;
  return text.size() >= min && text.size() <= max &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// The first failure sticks; afterwards every call does nothing.
class Cursor {
 public:
  explicit Cursor(std::string_view json) : json_(json) {}

  [[nodiscard]] bool next_is(std::string_view text) const {
    return ok_ && json_.substr(at_).starts_with(text);
  }
  Cursor& literal(std::string_view text) {
    ok_ = next_is(text);
    if (ok_) at_ += text.size();
    return *this;
  }
  bool maybe(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  // Text up to its closing quote, which stays unread.
  Cursor& text(std::string_view& out) {
    const std::size_t digits = unchecked_text(out);
    ok_ = ok_ && (digits < kPanDigitsMin || !looks_like_pan(out));
    return *this;
  }
  // The same for text that is compared with something known afterwards; gives how many of its
  // digits may stand close together.
  std::size_t unchecked_text(std::string_view& out) {
    if (!ok_) return 0;
    const std::size_t start = at_;
    std::size_t size = 0;  // unescaped
    std::size_t digits = 0;
    while (ok_ && at_ < json_.size() && json_[at_] != '"') {
      const PlainRun run = plain_run(json_.substr(at_));
      at_ += run.size;
      // What stands between two runs may join their digits: then the text gets a look.
      digits = std::max(digits, run.size == 0 ? kPanDigitsMin : run.digits);
      size += run.size == 0 ? character() : run.size;
    }
    out = json_.substr(start, at_ - start);
    ok_ = ok_ && size <= kFieldBytesMax && !out.empty();
    return digits;
  }
  // An id, of which `text` is the text.
  Cursor& id(std::array<std::byte, 16>& out, std::string_view& text) {
    constexpr std::size_t kIdSize = 36;
    text = json_.substr(std::min(at_, json_.size()), kIdSize);
    const auto parsed = parse_uuid(text);
    ok_ = ok_ && parsed.has_value();
    if (ok_) out = *parsed;
    if (ok_) at_ += kIdSize;
    return *this;
  }
  // In base64, of which it has one form.
  Cursor& digest(crypto::Sha256Digest& out) {
    constexpr std::size_t kDigestSize = 44;
    const std::string_view text = json_.substr(std::min(at_, json_.size()), kDigestSize);
    const auto parsed = parse_base64(text);
    ok_ = ok_ && parsed && parsed->size() == out.size() && base64(*parsed) == text;
    if (ok_) std::ranges::copy(*parsed, out.begin());
    if (ok_) at_ += kDigestSize;
    return *this;
  }
  template <class Number>
  Cursor& number(Number& out) {
    const char* begin = json_.data() + at_;
    const auto [end, error] = std::from_chars(begin, json_.data() + json_.size(), out);
    const bool canonical = end - begin == 1 || (begin != end && *begin != '0' && *begin != '-');
    ok_ = ok_ && error == std::errc{} && canonical;
    if (ok_) at_ += static_cast<std::size_t>(end - begin);
    return *this;
  }
  // One of `names`, then a quote.
  template <class Enum, class Names, class Text>
  Cursor& one_of(Enum& out, const Names& names, Text text_of) {
    const std::string_view word = json_.substr(std::min(at_, json_.size()));
    const std::size_t size = word.find('"');
    const auto found = std::ranges::find(names, word.substr(0, size), text_of);
    ok_ = ok_ && size != std::string_view::npos && found != std::ranges::end(names);
    if (ok_) out = static_cast<Enum>(found - std::ranges::begin(names));
    if (ok_) at_ += size;
    return *this;
  }
  Cursor& require(bool condition) {
    ok_ = ok_ && condition;
    return *this;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return at_ == json_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  // Takes one character, escaped or not, and gives its unescaped size.
  std::size_t character() {
    if (json_[at_] == '\\') {
      ok_ = at_ + 1 < json_.size() && (json_[at_ + 1] == '"' || json_[at_ + 1] == '\\');
      at_ += ok_ ? 2 : 0;
      return 1;
    }
    const std::size_t size = character_size(json_.substr(at_));
    ok_ = size > 0;
    at_ += size;
    return size;
  }

  std::string_view json_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// The numbers that follow from others are read first and compared when those are known.
struct Derived {
  std::string_view correlation, uid, operation_id;
  int activity = 0, type = 0, severity = 0, status = 0;
};

void read_head(Cursor& in, EntryView& entry, Derived& derived) {
  in.literal(R"({"metadata":{"version":")").literal(kOcsfVersion).literal(R"(","uid":")");
  in.id(entry.uid.bytes, derived.uid).literal(R"(","correlation_uid":")");
  in.unchecked_text(derived.correlation);
  in.literal(R"("},"class_uid":6003,"category_uid":6,"activity_id":)").number(derived.activity);
  in.literal(R"(,"type_uid":)").number(derived.type);
  in.literal(R"(,"severity_id":)").number(derived.severity);
  in.literal(R"(,"time":)").number(entry.time_ms);
  in.literal(R"(,"status_id":)").number(derived.status);
}

void read_who_and_what(Cursor& in, EntryView& entry) {
  in.literal(R"(,"actor":{"user":{"uid":")").text(entry.user);
  in.literal(R"("},"app_uid":")").text(entry.instance);
  in.literal(R"("},"api":{"operation":")").text(entry.operation);
  in.literal(R"("},"src_endpoint":{)");
  if (!in.maybe(kThisHost)) in.literal(R"("ip":")").text(entry.source_ip).literal("\"");
  in.literal(R"(},"resources":[)");
  while (in.ok() && !in.next_is("]") && entry.resource_count < kResourcesMax) {
    in.literal(entry.resource_count == 0 ? R"({"uid":")" : R"(,{"uid":")");
    in.text(entry.resources[entry.resource_count++]).literal("\"}");
  }
  in.literal("]");
}

void read_optional(Cursor& in, std::string_view key, std::string_view& out) {
  if (in.maybe(key)) in.text(out).literal("\"");
}

void read_optional(Cursor& in, std::string_view key, std::optional<std::uint64_t>& out) {
  if (in.maybe(key)) in.number(out.emplace());
}

void read_unmapped(Cursor& in, EntryView& entry, Derived& derived) {
  in.literal(R"(,"unmapped":{"schema":1,"event_type":")");
  in.one_of(entry.event_type, kEventTypes, &EventTypeRow::text);
  in.literal(R"(","phase":")").one_of(entry.phase, kPhases, std::identity{}).literal("\"");
  if (in.maybe(R"(,"operation_id":")")) {
    in.id(entry.operation_id.bytes, derived.operation_id).literal("\"");
    in.require(entry.operation_id != OperationId{});
  }
  if (in.maybe(R"(,"outcome":")")) {
    in.one_of(entry.outcome, kOutcomes, std::identity{}).literal("\"");
  }
  read_optional(in, R"(,"gateway_token":")", entry.gateway_token);
  read_optional(in, R"(,"merchant_id":")", entry.merchant_id);
  read_optional(in, R"(,"connector_id":")", entry.connector_id);
  read_optional(in, R"(,"bin":")", entry.bin);
  read_optional(in, R"(,"last4":")", entry.last4);
  read_optional(in, R"(,"request_id":")", entry.request_id);
  read_optional(in, R"(,"count":)", entry.count);
  read_optional(in, R"(,"old_size_bytes":)", entry.old_size_bytes);
  read_optional(in, R"(,"new_size_bytes":)", entry.new_size_bytes);
  read_optional(in, R"(,"tree_size":)", entry.tree_size);
  if (in.maybe(R"(,"tree_root":")")) in.digest(entry.tree_root.emplace()).literal("\"");
  read_optional(in, R"(,"reason":")", entry.reason);
  if (in.maybe(R"(,"sha256":")")) in.digest(entry.sha256.emplace()).literal("\"");
  read_optional(in, R"(,"until":)", entry.until_ms);
  in.literal(R"(,"timestamp":")").unchecked_text(entry.timestamp);
  in.literal("\"}}");
}

void check(Cursor& in, const EntryView& entry, const Derived& derived) {
  const int activity = activity_id(entry.event_type);
  in.require(in.at_end() && derived.activity == activity)
      .require(derived.type == kClassUid * 100 + activity)
      .require(derived.severity == severity_id(entry.event_type, entry.outcome))
      .require(derived.status == status_id(entry.outcome))
      .require(fits(entry.phase, entry.outcome))
      .require(entry.phase == Phase::single || entry.operation_id != OperationId{})
      .require(entry.time_ms >= 0 && entry.time_ms <= kTimeMaxMs)
      .require(entry.bin.empty() || digits_or_masked(entry.bin, 1, kBinDigitsMax))
      .require(entry.last4.empty() || digits_or_masked(entry.last4, kLast4Digits, kLast4Digits));
  if (!in.ok()) return;
  const std::string_view joined = derived.operation_id.empty() ? derived.uid : derived.operation_id;
  in.require(derived.correlation == (entry.request_id.empty() ? joined : entry.request_id));
  in.require(entry.timestamp == timestamp(entry.time_ms).view());
}

std::string unescaped(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    plain += text[i];
  }
  return plain;
}

}  // namespace

Result<EntryView> read_entry(std::string_view json) {
  if (json.size() > kEntryBytesMax) return fail({ErrorCode::too_large, "entry is too long"});
  Cursor in(json);
  EntryView entry;
  Derived derived;
  read_head(in, entry, derived);
  read_who_and_what(in, entry);
  read_unmapped(in, entry, derived);
  check(in, entry, derived);
  if (!in.ok()) {
    return fail(Error{ErrorCode::invalid_argument, "entry is not of the one form"}.with_detail(
        static_cast<std::uint32_t>(in.at())));
  }
  return entry;
}

Result<Entry> parse_entry(std::string_view json) {
  SR_TRY(const EntryView view, read_entry(json));
  Entry entry{.uid = view.uid,
              .operation_id = view.operation_id,
              .event_type = view.event_type,
              .phase = view.phase,
              .outcome = view.outcome,
              .time_us = view.time_ms * 1000,
              .instance = unescaped(view.instance),
              .user = view.user == view.instance ? "" : unescaped(view.user),
              .source_ip = unescaped(view.source_ip),
              .operation = view.operation == name(view.event_type) ? "" : unescaped(view.operation),
              .resources = {},
              .gateway_token = unescaped(view.gateway_token),
              .merchant_id = unescaped(view.merchant_id),
              .connector_id = unescaped(view.connector_id),
              .bin = unescaped(view.bin),
              .last4 = unescaped(view.last4),
              .request_id = unescaped(view.request_id),
              .count = view.count,
              .old_size_bytes = view.old_size_bytes,
              .new_size_bytes = view.new_size_bytes,
              .tree_size = view.tree_size,
              .tree_root = view.tree_root,
              .reason = unescaped(view.reason),
              .sha256 = view.sha256,
              .until_ms = view.until_ms};
  for (std::size_t i = 0; i < view.resource_count; ++i) {
    entry.resources.push_back(unescaped(view.resources[i]));
  }
  return entry;
}

}  // namespace strongroom::audit

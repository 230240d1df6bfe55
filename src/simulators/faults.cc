// Reading faults and matching paths.
#include "simulators/faults.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "wire/json.h"

namespace strongroom::simulators {
namespace {

using wire::Problem;
using wire::ProblemType;

constexpr std::int64_t kCountMax = 1'000'000;
constexpr std::int64_t kDelayMaxMs = 600'000;
constexpr std::int64_t kDelayDefaultMs = 30'000;

struct KindName {
  std::string_view name;
  FaultKind kind;
};
constexpr std::array kKinds{
    KindName{"timeout", FaultKind::timeout}, KindName{"reset", FaultKind::reset},
    KindName{"500", FaultKind::status_500},  KindName{"503", FaultKind::status_503},
    KindName{"garbage", FaultKind::garbage}, KindName{"huge", FaultKind::huge},
    KindName{"slow", FaultKind::slow},       KindName{"other_id", FaultKind::other_id},
    KindName{"decline", FaultKind::decline},
};

bool needs_effect(FaultKind kind) noexcept {
  return kind == FaultKind::huge || kind == FaultKind::other_id || kind == FaultKind::decline;
}

void read_kind(wire::ObjectReader& reader, Fault& fault) {
  const auto kind = std::ranges::find(kKinds, reader.text("#/kind", {1, 16}), &KindName::name);
  if (kind == kKinds.end()) {
    return reader.refuse({.type = ProblemType::invalid_value, .pointer = "#/kind"});
  }
  fault.kind = kind->kind;
}

void read_time(wire::ObjectReader& reader, Fault& fault) {
  const auto when = reader.text_or_none("#/when", {1, 16});
  if (!when || *when == "after_effect") return;
  if (*when != "before_effect" || needs_effect(fault.kind)) {
    return reader.refuse({.type = ProblemType::invalid_value, .pointer = "#/when"});
  }
  fault.when = FaultTime::before_effect;
}

void read_decline_code(wire::ObjectReader& reader, Fault& fault) {
  const auto code = reader.text_or_none("#/decline_code", {1, 64});
  const bool fits = code.has_value() == (fault.kind == FaultKind::decline);
  const bool plain =
      !code || code->find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
  if (!fits || !plain) {
    return reader.refuse({.type = ProblemType::invalid_value, .pointer = "#/decline_code"});
  }
  fault.decline_code = code.value_or("");
}

// '*' fits one segment, everything else itself.
bool fits(std::string_view pattern, std::string_view path) noexcept {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view expected = pattern.substr(0, pattern.find('/', 1));
    const std::string_view segment = path.substr(0, path.find('/', 1));
    if (expected != "/*" && expected != segment) return false;
    pattern.remove_prefix(expected.size());
    path.remove_prefix(segment.size());
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::expected<Fault, Problem> parse_fault(std::span<const std::byte> body) {
  const auto value = wire::parse_strict(as_text(body), {});
  if (!value) return std::unexpected(value.error());
  const auto object = wire::as_object(*value);
  if (!object) return std::unexpected(object.error());
  wire::ObjectReader reader(**object);
  Fault fault;
  fault.path = reader.text("#/path", {1, 256});
  if (!fault.path.starts_with('/')) {
    reader.refuse({.type = ProblemType::invalid_value, .pointer = "#/path"});
  }
  read_kind(reader, fault);
  read_time(reader, fault);
  fault.count = static_cast<unsigned>(reader.integer_or_none("#/count", 1, kCountMax).value_or(1));
  fault.delay = std::chrono::milliseconds(
      reader.integer_or_none("#/delay_ms", 0, kDelayMaxMs).value_or(kDelayDefaultMs));
  read_decline_code(reader, fault);
  if (const auto problem = reader.finish()) return std::unexpected(*problem);
  return fault;
}

Result<void> FaultPlan::add(Fault fault) {
  if (faults_.size() == kFaultsMax) return fail({ErrorCode::exhausted, "too many faults"});
  faults_.push_back(std::move(fault));
  return {};
}

std::optional<Fault> FaultPlan::take(std::string_view path) {
  const auto found =
      std::ranges::find_if(faults_, [&](const Fault& fault) { return fits(fault.path, path); });
  if (found == faults_.end()) return std::nullopt;
  Fault fault = *found;
  if (--found->count == 0) faults_.erase(found);
  return fault;
}

std::size_t FaultPlan::clear() noexcept {
  std::size_t left = 0;
  for (const Fault& fault : faults_) left += fault.count;
  faults_.clear();
  return left;
}

}  // namespace strongroom::simulators

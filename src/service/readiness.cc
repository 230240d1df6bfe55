// Checks by name; a few per process, so a list is enough.
#include "service/readiness.h"

#include <algorithm>

namespace strongroom::service {

void Readiness::add(std::string_view name, bool ok, std::string_view detail) {
  const auto known = std::ranges::find(checks_, name, &Check::name);
  if (known == checks_.end()) {
    checks_.push_back({std::string(name), ok, std::string(ok ? std::string_view{} : detail)});
  } else if (known->ok && !ok) {
    known->ok = false;
    known->detail = detail;
  }
}

void Readiness::warn(std::string_view what) {
  if (std::ranges::find(warnings_, what) == warnings_.end()) warnings_.emplace_back(what);
}

void Readiness::merge(const Readiness& other) {
  for (const Check& check : other.checks_) add(check.name, check.ok, check.detail);
  for (const std::string& what : other.warnings_) warn(what);
}

bool Readiness::ready() const noexcept { return std::ranges::all_of(checks_, &Check::ok); }

}  // namespace strongroom::service

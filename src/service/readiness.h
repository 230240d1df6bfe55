// Readiness: what /readyz says. A process is ready when every check of every worker is ok.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strongroom::service {

// Check is one thing that the process needs: "auditd", "database", "hsm".
struct Check {
  std::string name;
  bool ok = false;
  std::string detail;  // empty when ok; never data of a request
};

class Readiness {
 public:
  // `name` that was added before (by another worker) stays one check: ok when both are.
  void add(std::string_view name, bool ok, std::string_view detail = {});

  // Says what is amiss though it serves: "hsm: software". The same words twice are said once.
  void warn(std::string_view what);
  // Adds every check and warning of `other`.
  void merge(const Readiness& other);

  [[nodiscard]] bool ready() const noexcept;
  [[nodiscard]] const std::vector<Check>& checks() const noexcept { return checks_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  std::vector<Check> checks_;
  std::vector<std::string> warnings_;
};

}  // namespace strongroom::service

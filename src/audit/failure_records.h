// FailureRecords: the parts of the logging that the log says have failed and not yet that they work
// again (PCI DSS 10.7.3), by the control.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/id.h"

namespace strongroom::audit {

// The control that fails while the log is not what was signed for.
inline constexpr std::string_view kHistory = "history";

struct FailureRecord {
  OperationId id{};   // joins its two entries
  std::string cause;  // as its first entry gave it
};
using FailureRecords = std::map<std::string, FailureRecord, std::less<>>;

}  // namespace strongroom::audit

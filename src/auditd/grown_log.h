// GrownLog: what a log has grown to and by, on its way from the Ledger to its files and signature.
#pragma once

#include <string>

#include "audit/logs.h"

namespace strongroom::auditd {

struct GrownLog {
  std::string name;
  audit::TreeHead head;
  audit::LogGrowth growth;  // empty once its files hold it
};

}  // namespace strongroom::auditd

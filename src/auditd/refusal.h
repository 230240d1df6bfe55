// Refusal: that auditd did not start on its log, because it is damaged or not what was signed for.
// Such a log takes no entry that could say so; a file beside it does, until a start that works puts
// it into the log (PCI DSS 10.7.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/files.h"
#include "base/result.h"

namespace strongroom::auditd {

inline constexpr std::string_view kRefusedName = "refused";  // in DIR/audit

struct Refusal {
  std::int64_t since_us = 0;  // when it was refused first
  std::string cause;
};

// Writes the file, unless one is there already. unavailable.
[[nodiscard]] Result<void> note_refusal(audit::Files& files, const std::string& directory,
                                        const Refusal& refusal);
// What stands in the file; nullopt without one, or where it is not of that form.
[[nodiscard]] std::optional<Refusal> noted_refusal(audit::Files& files,
                                                   const std::string& directory);
// Removes the file, durably: were it back after a power loss, the next start would tell of it
// again. not_found, unavailable.
[[nodiscard]] Result<void> forget_refusal(audit::Files& files, const std::string& directory);

}  // namespace strongroom::auditd

// Reading what was revoked.
#include "connected/auth/revocations.h"

#include <string_view>
#include <utility>

#include "audit/entry_list.h"
#include "base/try.h"

namespace strongroom::connected::auth {
namespace {

using storage::Statement;
using storage::Value;

constexpr std::string_view kRevoke =
    "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
constexpr Error kNotTold{ErrorCode::corrupt, "dump is not followed by what was revoked since"};

}  // namespace

Result<std::vector<Statement>> read_revocations(const storage::Source& source) {
  std::vector<Statement> statements;
  const auto read =
      audit::read_entry_list(source, [&statements](const audit::Entry& entry) -> Result<void> {
        if (entry.event_type != audit::EventType::api_key_revoke) return fail(kNotTold);
        if (entry.resources.size() != 1) return fail(kNotTold);
        statements.push_back(
            {kRevoke, {Value::text(entry.resources.front()), Value::integer(entry.time_us)}});
        return {};
      });
  if (!read) return fail(read.error().code() == ErrorCode::corrupt ? kNotTold : read.error());
  SR_CHECK_OK(storage::nothing_more(source));
  return statements;
}

}  // namespace strongroom::connected::auth

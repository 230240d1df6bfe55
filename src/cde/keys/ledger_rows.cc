// The table backup_ledger.
#include "cde/keys/ledger_rows.h"

#include <string>
#include <utility>

#include "base/try.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Statement;
using storage::Value;

constexpr std::string_view kSelect =
    "SELECT revision, id, kind, means, begun_at, verified_at, holds, ending, ended_at, replaced_by,"
    " ended_by"
    " FROM (SELECT 1 AS always) AS always LEFT JOIN keys_seal ON true"
    " LEFT JOIN backup_ledger ON true";
enum SelectColumn : std::size_t {
  kRevision,
  kId,
  kKind,
  kMeans,
  kBegunAt,
  kVerifiedAt,
  kHolds,
  kEnding,
  kEndedAt,
  kReplacedBy,
  kEndedBy,
};
constexpr std::string_view kPut =
    "INSERT INTO backup_ledger(id, kind, means, begun_at, verified_at, holds, ending, ended_at,"
    " replaced_by, ended_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    " ON CONFLICT (id, kind) DO UPDATE SET means = excluded.means, begun_at = excluded.begun_at,"
    " verified_at = excluded.verified_at, holds = excluded.holds, ending = excluded.ending,"
    " ended_at = excluded.ended_at, replaced_by = excluded.replaced_by,"
    " ended_by = excluded.ended_by";
constexpr std::string_view kDrop = "DELETE FROM backup_ledger WHERE id = $1 AND kind = $2";
constexpr char kBetween = ' ';  // labels

Result<std::string> text_in(const Value& value) {
  SR_TRY(const std::string_view text, value.text());
  return std::string(text);
}

Result<std::optional<std::int64_t>> time_or_none(const Value& value) {
  if (value.is_null()) return std::optional<std::int64_t>();
  SR_TRY(const std::int64_t time, value.integer());
  // Its digest is that of no time.
  if (time < 0) return fail({ErrorCode::corrupt, "the ledger of backups has an impossible time"});
  return std::optional(time);
}

Value time_or_null(const std::optional<std::int64_t>& time) {
  return time ? Value::integer(*time) : Value::null();
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> labels;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kBetween), text.size());
    labels.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return labels;
}

std::string joined(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) {
    if (!text.empty()) text += kBetween;
    text += label;
  }
  return text;
}

Result<KnownBackup> read_backup(const Row& row) {
  KnownBackup backup;
  SR_TRY(backup.id, text_in(row[kId]));
  SR_TRY(const std::string_view kind, row[kKind].text());
  SR_TRY(backup.kind, parse_backup_kind(kind));
  SR_TRY(backup.means, text_in(row[kMeans]));
  SR_TRY(backup.begun_at_us, row[kBegunAt].integer());
  SR_TRY(backup.verified_at_us, time_or_none(row[kVerifiedAt]));
  SR_TRY(const std::string_view holds, row[kHolds].text());
  backup.holds = split(holds);
  SR_TRY(const std::string_view ending, row[kEnding].text());
  SR_TRY(backup.ending, parse_backup_ending(ending));
  SR_TRY(backup.ended_at_us, time_or_none(row[kEndedAt]));
  SR_TRY(backup.replaced_by, text_in(row[kReplacedBy]));
  SR_TRY(backup.ended_by, text_in(row[kEndedBy]));
  return backup;
}

Statement put(const KnownBackup& backup) {
  std::vector<Value> values{Value::text(backup.id),
                            Value::text(to_string(backup.kind)),
                            Value::text(backup.means),
                            Value::integer(backup.begun_at_us),
                            time_or_null(backup.verified_at_us),
                            Value::text(joined(backup.holds)),
                            Value::text(to_string(backup.ending)),
                            time_or_null(backup.ended_at_us),
                            Value::text(backup.replaced_by),
                            Value::text(backup.ended_by)};
  return {kPut, std::move(values), 1};
}

}  // namespace

Statement select_ledger() { return Statement{kSelect}; }

Result<BackupLedger> read_ledger(const storage::Rows& rows) {
  std::vector<KnownBackup> backups;
  for (const Row& row : rows) {
    if (row[kId].is_null()) break;  // the revision alone
    SR_TRY(KnownBackup backup, read_backup(row));
    backups.push_back(std::move(backup));
  }
  return BackupLedger(std::move(backups));
}

std::vector<Statement> ledger_changes(const BackupLedger& before, const BackupLedger& after) {
  std::vector<Statement> statements;
  for (const KnownBackup& row : before.rows()) {
    if (after.find(row.id, row.kind) != nullptr) continue;
    std::vector<Value> values{Value::text(row.id), Value::text(to_string(row.kind))};
    statements.push_back({kDrop, std::move(values), 1});
  }
  for (const KnownBackup& row : after.rows()) {
    const KnownBackup* const known = before.find(row.id, row.kind);
    if (known == nullptr || *known != row) statements.push_back(put(row));
  }
  return statements;
}

}  // namespace strongroom::cde

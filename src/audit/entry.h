// Entry: one audit event and its one JSON form, an OCSF API Activity object (class 6003). The exact
// bytes that to_json writes are what the journal stores and what the Merkle trees hash; they are
// never serialized again. docs/formats/audit-entry.md gives the form byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace strongroom::audit {

inline constexpr std::size_t kEntryBytesMax = 16 * 1024;
inline constexpr std::size_t kFieldBytesMax = 256;  // longer text is cut, at a character's edge
inline constexpr std::size_t kResourcesMax = 16;    // more are left out

// What happened. `name()` is its text in `unmapped.event_type`.
enum class EventType : std::uint8_t {
  token_create,
  token_lookup,
  token_update,
  token_delete,
  token_expire,
  delete_hold,  // above the budget, until an operator decides
  delete_release,
  delete_refuse,
  processor_token_resolve,
  processor_token_store,
  processor_token_revoke,
  processor_token_delete,
  payment_authorize,
  payment_sale,  // authorize and capture in one
  payment_capture,
  payment_void,
  payment_refund,
  payment_lookup,
  api_key_create,
  api_key_revoke,
  merchant_create,
  merchant_update,
  connector_account_create,
  connector_account_delete,
  user_login,
  key_generate,
  key_activate,
  key_retire,
  key_compromise,
  key_withdraw,  // before it is destroyed
  key_rotate,
  key_destroy,
  key_backup,
  key_reserve,  // uses, before they are made
  key_rewrap,
  key_ledger,  // of backups
  schema_migrate,
  backup_create,
  backup_restore,
  batch_import,
  access_denied,
  config_reload,
  log_start,
  log_stop,
  log_recovered,
  log_failure,
  log_read,
  log_export,
  log_checkpoint,  // auditd alone writes these four
  log_break,
  log_archive,
  log_witness,
  service_start,
  service_stop,
};

// An effect has an intent, durable before it happens, and an outcome; a read or a denial is single.
enum class Phase : std::uint8_t { single, intent, outcome };

// `none` belongs to an intent. done, not_done and unknown close one (unknown: an effect at a
// processor whose answer was lost); success, denied and failed belong to a single entry, done and
// failed also to an outcome that is told at once.
enum class Outcome : std::uint8_t { none, success, done, not_done, failed, denied, unknown };

[[nodiscard]] std::string_view name(EventType type) noexcept;  // "token.create"
[[nodiscard]] std::string_view name(Phase phase) noexcept;     // "intent"
[[nodiscard]] std::string_view name(Outcome outcome) noexcept;
// OCSF activity_id: 1 Create, 2 Read, 3 Update, 4 Delete, 99 Other.
[[nodiscard]] int activity_id(EventType type) noexcept;

using TreeRoot = crypto::Sha256Digest;

// Entry is plain text and ids; it must never hold a card number, a CVC or a secret. Empty text is
// left out of the JSON unless the member says otherwise.
struct Entry {
  EntryId uid{};               // fresh (UUID v7); auditd drops an entry whose uid it has seen
  OperationId operation_id{};  // joins intent and outcome; may be zero for a single entry
  EventType event_type = EventType::access_denied;
  Phase phase = Phase::single;
  Outcome outcome = Outcome::none;
  std::int64_t time_us = 0;  // when it happened, microseconds since the Unix epoch, UTC

  std::string instance{};   // who writes: the name given to the Client ("vaultd"); filled in by it
  std::string user{};       // on whose behalf: a ticket's subject; empty means the instance itself
  std::string source_ip{};  // where from; empty means this host
  std::string operation{};  // "POST /v1/tokens"; empty means the event type's name
  std::vector<std::string> resources{};  // what it was done to: token, payment, key ids

  std::string gateway_token{};  // tok_...
  std::string merchant_id{};    // the entry belongs to this merchant's log, else to the operator's
  std::string connector_id{};
  std::string bin{};                     // at most 8 digits
  std::string last4{};                   // 4 digits
  std::string request_id{};              // 32 lower-case hex digits
  std::optional<std::uint64_t> count{};  // of denials that this entry stands for
  // log.recovered: the journal's segment before and after the cut. A dump's end: what was given.
  std::optional<std::uint64_t> old_size_bytes{};
  std::optional<std::uint64_t> new_size_bytes{};
  // log.checkpoint and log.break: what the log whose origin is the resource had come to here;
  // log.witness: what a witness is said to have seen of it, without a root.
  std::optional<std::uint64_t> tree_size{};
  std::optional<TreeRoot> tree_root{};
  std::string reason{};  // log.break: as the operator gave it
  // log.archive: of its file (backup: of the manifest; dump: of what was given), and until when.
  std::optional<crypto::Sha256Digest> sha256{};
  std::optional<std::uint64_t> until_ms{};  // locked or kept
};

// The entry's JSON: at most kEntryBytesMax bytes, one line, members in a fixed order. Text that
// looks like a PAN becomes "[masked]", and so does a `bin` or `last4` that is not one. PCI
// DSS 3.5.1, 10.2.2.
[[nodiscard]] std::string to_json(const Entry& entry);
// The same with `instance` as the writer, whatever the entry says.
[[nodiscard]] std::string to_json(const Entry& entry, std::string_view instance);

// Reads the form that to_json writes and no other: member order, escapes and numbers are part of
// it, so that equal entries are equal bytes. Refuses text that looks like a PAN. invalid_argument,
// too_large.
[[nodiscard]] Result<Entry> parse_entry(std::string_view json);

// The entry that closes `intent`: the same operation, with `outcome`, a new uid and time.
[[nodiscard]] Entry outcome_of(const Entry& intent, Outcome outcome, EntryId uid,
                               std::int64_t time_us);

}  // namespace strongroom::audit

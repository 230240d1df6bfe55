// The texts and OCSF numbers of an entry's enumerations: one table each, for writer and reader.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "audit/entry.h"

namespace strongroom::audit {

struct EventTypeRow {
  EventType type;
  std::string_view text;
  int activity_id;
};

inline constexpr int kCreate = 1, kRead = 2, kUpdate = 3, kDelete = 4, kOther = 99;

inline constexpr std::array kEventTypes{
    EventTypeRow{EventType::token_create, "token.create", kCreate},
    EventTypeRow{EventType::token_lookup, "token.lookup", kRead},
    EventTypeRow{EventType::token_update, "token.update", kUpdate},
    EventTypeRow{EventType::token_delete, "token.delete", kDelete},
    EventTypeRow{EventType::token_expire, "token.expire", kDelete},
    EventTypeRow{EventType::delete_hold, "delete.hold", kOther},
    EventTypeRow{EventType::delete_release, "delete.release", kOther},
    EventTypeRow{EventType::delete_refuse, "delete.refuse", kOther},
    EventTypeRow{EventType::processor_token_resolve, "processor_token.resolve", kRead},
    EventTypeRow{EventType::processor_token_store, "processor_token.store", kCreate},
    EventTypeRow{EventType::processor_token_revoke, "processor_token.revoke", kDelete},
    EventTypeRow{EventType::processor_token_delete, "processor_token.delete", kDelete},
    EventTypeRow{EventType::payment_authorize, "payment.authorize", kCreate},
    EventTypeRow{EventType::payment_sale, "payment.sale", kCreate},
    EventTypeRow{EventType::payment_capture, "payment.capture", kUpdate},
    EventTypeRow{EventType::payment_void, "payment.void", kUpdate},
    EventTypeRow{EventType::payment_refund, "payment.refund", kCreate},
    EventTypeRow{EventType::payment_lookup, "payment.lookup", kRead},
    EventTypeRow{EventType::api_key_create, "api_key.create", kCreate},
    EventTypeRow{EventType::api_key_revoke, "api_key.revoke", kDelete},
    EventTypeRow{EventType::merchant_create, "merchant.create", kCreate},
    EventTypeRow{EventType::merchant_update, "merchant.update", kUpdate},
    EventTypeRow{EventType::connector_account_create, "connector_account.create", kCreate},
    EventTypeRow{EventType::connector_account_delete, "connector_account.delete", kDelete},
    EventTypeRow{EventType::user_login, "user.login", kOther},
    EventTypeRow{EventType::key_generate, "key.generate", kCreate},
    EventTypeRow{EventType::key_activate, "key.activate", kUpdate},
    EventTypeRow{EventType::key_retire, "key.retire", kUpdate},
    EventTypeRow{EventType::key_compromise, "key.compromise", kUpdate},
    EventTypeRow{EventType::key_withdraw, "key.withdraw", kUpdate},
    EventTypeRow{EventType::key_rotate, "key.rotate", kUpdate},
    EventTypeRow{EventType::key_destroy, "key.destroy", kDelete},
    EventTypeRow{EventType::key_backup, "key.backup", kRead},
    EventTypeRow{EventType::key_reserve, "key.reserve", kUpdate},
    EventTypeRow{EventType::key_rewrap, "key.rewrap", kUpdate},
    EventTypeRow{EventType::key_ledger, "key.ledger", kUpdate},
    EventTypeRow{EventType::schema_migrate, "schema.migrate", kUpdate},
    EventTypeRow{EventType::backup_create, "backup.create", kRead},
    EventTypeRow{EventType::backup_restore, "backup.restore", kCreate},
    EventTypeRow{EventType::batch_import, "batch.import", kCreate},
    EventTypeRow{EventType::access_denied, "access.denied", kOther},
    EventTypeRow{EventType::config_reload, "config.reload", kUpdate},
    EventTypeRow{EventType::log_start, "log.start", kOther},
    EventTypeRow{EventType::log_stop, "log.stop", kOther},
    EventTypeRow{EventType::log_recovered, "log.recovered", kOther},
    EventTypeRow{EventType::log_failure, "log.failure", kOther},
    EventTypeRow{EventType::log_read, "log.read", kRead},
    EventTypeRow{EventType::log_export, "log.export", kRead},
    EventTypeRow{EventType::log_checkpoint, "log.checkpoint", kOther},
    EventTypeRow{EventType::log_break, "log.break", kOther},
    EventTypeRow{EventType::log_archive, "log.archive", kOther},
    EventTypeRow{EventType::log_witness, "log.witness", kOther},
    EventTypeRow{EventType::service_start, "service.start", kOther},
    EventTypeRow{EventType::service_stop, "service.stop", kOther},
};

inline constexpr std::array<std::string_view, 3> kPhases{"single", "intent", "outcome"};
inline constexpr std::array<std::string_view, 7> kOutcomes{
    "none", "success", "done", "not_done", "failed", "denied", "unknown"};

// The rows stand in the enumeration's order, so that a name is one index away.
consteval bool event_types_are_in_order() {
  for (std::size_t i = 0; i < kEventTypes.size(); ++i) {
    if (static_cast<std::size_t>(kEventTypes[i].type) != i) return false;
  }
  return kEventTypes.back().type == EventType::service_stop;
}
static_assert(event_types_are_in_order());

// OCSF status_id: 0 Unknown, 1 Success, 2 Failure.
constexpr int status_id(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::none:
    case Outcome::unknown:
      return 0;
    case Outcome::success:
    case Outcome::done:
      return 1;
    case Outcome::not_done:
    case Outcome::failed:
    case Outcome::denied:
      return 2;
  }
  return 0;
}

// OCSF severity_id: 1 Informational, 2 Low, 3 Medium, 4 High.
constexpr int severity_id(EventType type, Outcome outcome) noexcept {
  if (type == EventType::log_recovered || type == EventType::log_break) return 4;
  if (type == EventType::access_denied || outcome == Outcome::denied) return 3;
  return status_id(outcome) == 2 || outcome == Outcome::unknown ? 2 : 1;
}

// What these say of a log, by its origin, must be so at their place in the journal.
constexpr bool tells_of_a_log(EventType type) noexcept {
  return type == EventType::log_checkpoint || type == EventType::log_break;
}
constexpr bool auditd_alone_writes(EventType type) noexcept {
  return tells_of_a_log(type) || type == EventType::log_archive || type == EventType::log_witness;
}

// Which outcomes fit which phase.
constexpr bool fits(Phase phase, Outcome outcome) noexcept {
  switch (phase) {
    case Phase::intent:
      return outcome == Outcome::none;
    case Phase::outcome:
      return outcome == Outcome::done || outcome == Outcome::not_done ||
             outcome == Outcome::failed || outcome == Outcome::unknown;
    case Phase::single:
      return outcome == Outcome::success || outcome == Outcome::failed ||
             outcome == Outcome::denied;
  }
  return false;
}

}  // namespace strongroom::audit

// The grammar of the command line: what the options are read into, and how a command is added.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "apps/strongroom/audit_archives.h"
#include "apps/strongroom/audit_export.h"
#include "apps/strongroom/audit_proof.h"
#include "apps/strongroom/audit_prove.h"
#include "apps/strongroom/audit_report.h"
#include "apps/strongroom/audit_search.h"
#include "apps/strongroom/backup_create.h"
#include "apps/strongroom/backup_restore.h"
#include "apps/strongroom/certificates.h"
#include "apps/strongroom/connector_accounts.h"
#include "apps/strongroom/context.h"
#include "apps/strongroom/deletes.h"
#include "apps/strongroom/erase_proof.h"
#include "apps/strongroom/init.h"
#include "apps/strongroom/key_backups.h"
#include "apps/strongroom/keys.h"
#include "apps/strongroom/witness_command.h"
#include "apps/strongroom/witness_exchange.h"

namespace strongroom::tool {

// What the options of all commands are read into, and the command that was chosen.
struct Invocation {
  Context context;
  InitOptions init;
  std::string merchant, name, id, vkey, file;
  std::string role = "merchant_admin";
  NewAccount account;
  ChosenDeletes deletes;
  KeyOptions keys;
  KeyBackupOptions key_backups;
  RenewOptions renew;
  ProveOptions prove;
  EraseProofOptions erase_proof;
  CheckProofOptions check;
  ExportOptions export_to;
  ReportOptions report;
  RestoreOptions restore;
  OpenOptions open;
  std::string until;
  BackupOptions backup;
  RestoreFrom restore_from;
  std::string exported;
  NewWitness witness;
  AuditFilter filter;
  std::uint64_t lines = 10;
  bool follow = false;
  WitnessExport submission;
  std::string answer, reason;
  std::function<int()> command;
};

// A command under `parent` with the options that every command has. `invocation` outlives it.
CLI::App* add_command(CLI::App& parent, Invocation& invocation, const char* name,
                      const char* description, std::function<int()> run);

// `audit` and everything below it.
void add_audit(CLI::App& app, Invocation& in);

// `certificates` and everything below it.
void add_certificates(CLI::App& app, Invocation& in);

// `keys` and everything below it.
void add_keys(CLI::App& app, Invocation& in);

// `restore`, and `backup` and everything below it.
void add_backup(CLI::App& app, Invocation& in);

}  // namespace strongroom::tool

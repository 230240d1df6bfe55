// strongroom: operators' and assessors' command line. This file is the grammar; each command has a
// file of its own.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "apps/strongroom/audit_archives.h"
#include "apps/strongroom/audit_command.h"
#include "apps/strongroom/audit_export.h"
#include "apps/strongroom/audit_proof.h"
#include "apps/strongroom/audit_prove.h"
#include "apps/strongroom/audit_report.h"
#include "apps/strongroom/audit_search.h"
#include "apps/strongroom/audit_verify_export.h"
#include "apps/strongroom/connector_accounts.h"
#include "apps/strongroom/context.h"
#include "apps/strongroom/directory_commands.h"
#include "apps/strongroom/init.h"
#include "apps/strongroom/man_formatter.h"
#include "apps/strongroom/status.h"
#include "apps/strongroom/witness_command.h"
#include "apps/strongroom/witness_exchange.h"
#include "base/pan_scan.h"
#include "service/version.h"

namespace strongroom::tool {

int failed(int status, std::string_view text) {
  fmt::print(stderr, "strongroom: {}\n", mask_pans(text));
  return status;
}

namespace {

// What the options of all commands are read into, and the command that was chosen.
struct Invocation {
  Context context;
  InitOptions init;
  std::string merchant, name, id, vkey, file;
  std::string role = "merchant_admin";
  NewAccount account;
  ProveOptions prove;
  CheckProofOptions check;
  ExportOptions export_to;
  ReportOptions report;
  RestoreOptions restore;
  OpenOptions open;
  std::string until;
  std::string exported;
  NewWitness witness;
  AuditFilter filter;
  std::uint64_t lines = 10;
  bool follow = false;
  WitnessExport submission;
  std::string answer, reason;
  std::function<int()> command;
};

std::string default_directory() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the tool has one thread
  const char* set = std::getenv("STRONGROOM_DIR");
  return set != nullptr && *set != '\0' ? set : "./sandbox";
}

// A command under `parent` with the options that every command has.
CLI::App* add(CLI::App& parent, Invocation& invocation, const char* name, const char* description,
              std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->add_option("--dir", invocation.context.directory, "the deployment's folder")
      ->type_name("DIR");
  command->add_flag("--json", invocation.context.json, "print JSON");
  command->callback([&invocation, run = std::move(run)] { invocation.command = run; });
  return command;
}

void add_init(CLI::App& app, Invocation& in) {
  CLI::App* init = add(app, in, "init", "make a deployment in an empty folder",
                       [&in] { return init_deployment(in.context, in.init); });
  init->add_option("--profile", in.init.profile, "demo (test cards only) or production")
      ->check(CLI::IsMember({"demo", "production"}));
  init->add_option("--trust-domain", in.init.trust_domain, "of the services' identities")
      ->type_name("NAME");
  init->add_option("--auth-database", in.init.auth_database, "PostgreSQL instead of SQLite")
      ->type_name("URL");
  init->add_option("--core-database", in.init.core_database, "PostgreSQL instead of SQLite")
      ->type_name("URL");
  init->add_option("--vault-database", in.init.vault_database, "PostgreSQL instead of SQLite")
      ->type_name("URL");
  init->add_option("--hsm-module", in.init.hsm_module, "PKCS#11 module; SoftHSM by default")
      ->type_name("FILE");
  init->add_option("--hsm-assurance", in.init.hsm_assurance,
                   "hardware, or software: lets production run on SoftHSM")
      ->check(CLI::IsMember({"hardware", "software"}));
  init->add_option("--port-base", in.init.port_base, "first of seven ports; else free ones")
      ->type_name("N");
}

void add_merchants(CLI::App& app, Invocation& in) {
  CLI::App* merchants = app.add_subcommand("merchants", "who owns cards");
  merchants->require_subcommand(1);
  CLI::App* create = add(*merchants, in, "create", "add a merchant",
                         [&in] { return create_merchant(in.context, in.name); });
  create->add_option("--name", in.name, "shown to people")->type_name("TEXT")->required();
  add(*merchants, in, "list", "all merchants", [&in] { return list_merchants(in.context); });
}

void add_api_keys(CLI::App& app, Invocation& in) {
  CLI::App* keys = app.add_subcommand("api-keys", "credentials of merchants");
  keys->require_subcommand(1);
  CLI::App* create = add(*keys, in, "create", "make a key and print it once", [&in] {
    return create_api_key(in.context, in.merchant, in.name, in.role);
  });
  create->add_option("--merchant", in.merchant, "whose key")->type_name("ID")->required();
  create->add_option("--name", in.name, "shown to people")->type_name("TEXT")->required();
  create->add_option("--role", in.role, "merchant_admin (the default), merchant_user or tokenizer")
      ->type_name("ROLE");
  CLI::App* revoke = add(*keys, in, "revoke", "end a key, within a second everywhere",
                         [&in] { return revoke_api_key(in.context, in.id); });
  revoke->add_option("id", in.id, "the key's id")->type_name("ID")->required();
  CLI::App* list = add(*keys, in, "list", "keys of a merchant, without their text",
                       [&in] { return list_api_keys(in.context, in.merchant); });
  list->add_option("--merchant", in.merchant, "whose keys")->type_name("ID")->required();
}

void add_connector_accounts(CLI::App& app, Invocation& in) {
  CLI::App* accounts = app.add_subcommand("connector-accounts", "merchants at their processors");
  accounts->require_subcommand(1);
  CLI::App* add_one = add(*accounts, in, "add",
                          "seal a credential, read from standard input unless a file is named",
                          [&in] { return add_connector_account(in.context, in.account); });
  add_one->add_option("--merchant", in.account.merchant, "whose account")
      ->type_name("ID")
      ->required();
  add_one->add_option("--connector", in.account.connector, "the instance, as stripe")
      ->type_name("NAME")
      ->required();
  add_one->add_option("--account-id", in.account.account_id, "replace this account's credential")
      ->type_name("ID");
  add_one->add_option("--credential-file", in.account.credential_file, "readable by you alone")
      ->type_name("FILE");
  CLI::App* list = add(*accounts, in, "list", "accounts of a merchant, without their credentials",
                       [&in] { return list_connector_accounts(in.context, in.merchant); });
  list->add_option("--merchant", in.merchant, "whose accounts")->type_name("ID")->required();
}

void add_audit_search(CLI::App& audit, Invocation& in) {
  CLI::App* search = add(audit, in, "search", "entries by what they concern, newest first",
                         [&in] { return search_audit_log(in.context, in.filter); });
  search->add_option("--token", in.filter.token, "what it was done to: a token, payment or key")
      ->type_name("ID");
  search->add_option("--merchant", in.filter.merchant, "in whose logs; operator for the operator's")
      ->type_name("ID");
  search->add_option("--actor", in.filter.actor, "on whose behalf: key_..., uid:N, a daemon")
      ->type_name("ID");
  search->add_option("--type", in.filter.type, "an event type, as token.create")->type_name("TYPE");
  search->add_option("--request", in.filter.request, "a request id")->type_name("ID");
  search->add_option("--from", in.filter.from, "RFC 3339, as 2026-11-22T10:00:00Z")
      ->type_name("TIME");
  search->add_option("--to", in.filter.to, "RFC 3339, not included")->type_name("TIME");
  search->add_option("--limit", in.filter.limit, "50 by default")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  CLI::App* tail = add(audit, in, "tail", "the last entries, oldest first",
                       [&in] { return tail_audit_log(in.context, in.lines, in.follow); });
  tail->add_option("--lines", in.lines, "10 by default")->type_name("N")->check(CLI::Range(1, 50));
  tail->add_flag("--follow", in.follow, "go on with those that come");
}

void add_witness_exchange(CLI::App& audit, Invocation& in) {
  CLI::App* out = add(audit, in, "witness-export", "write a request for a witness to a file",
                      [&in] { return export_for_witness(in.context, in.submission); });
  out->add_option("--out", in.submission.out, "the file")->type_name("FILE")->required();
  out->add_option("--old", in.submission.old_size, "entries that it has cosigned already")
      ->type_name("N");
  CLI::App* back = add(audit, in, "witness-import", "bring a witness's answer to auditd",
                       [&in] { return import_from_witness(in.context, in.file, in.answer); });
  back->add_option("request", in.file, "the file that was exported")
      ->type_name("REQUEST")
      ->required();
  back->add_option("answer", in.answer, "what the witness printed")
      ->type_name("ANSWER")
      ->required();
  CLI::App* open = add(audit, in, "open-shard", "after a lawful restore: record it, begin new logs",
                       [&in] { return open_shard(in.context, in.reason); });
  open->add_option("--reason", in.reason, "for the log.break entry")->type_name("TEXT")->required();
}

void add_proofs(CLI::App& audit, Invocation& in) {
  CLI::App* prove = add(audit, in, "prove", "write proof files of entries",
                        [&in] { return prove_entries(in.context, in.prove); });
  CLI::Option* token = prove->add_option("--token", in.prove.token, "all entries about this token");
  token->type_name("TOKEN");
  CLI::Option* log =
      prove->add_option("--log", in.prove.log, "with --index: one entry of this log");
  CLI::Option* index = prove->add_option("--index", in.prove.index, "counted from 0");
  log->type_name("LOG")->needs(index)->excludes(token);
  index->type_name("N")->needs(log);
  prove->add_option("--out", in.prove.out, "folder; this one by default")->type_name("DIR");
  CLI::App* check = add(audit, in, "check-proof", "check a proof file and its entry, offline",
                        [&in] { return check_proof(in.context, in.check); });
  check->add_option("proof", in.check.files.proof, "the proof file")
      ->type_name("PROOF")
      ->required();
  check->add_option("entry", in.check.files.entry, "the entry")->type_name("ENTRY")->required();
  check->add_option("--record", in.check.record, "of the operator's entry that records the tree")
      ->type_name("PROOF ENTRY")
      ->expected(2);
  check->add_option("--vkey", in.check.vkey, "the log's key; the one in DIR by default")
      ->type_name("FILE");
  check->add_option("--witness", in.check.witnesses, "must have cosigned; a vkey or its file")
      ->type_name("VKEY");
}

void add_export(CLI::App& audit, Invocation& in) {
  CLI::App* command = add(audit, in, "export", "write logs as static files for others' tools",
                          [&in] { return export_logs(in.context, in.export_to); });
  CLI::Option* log = command->add_option("--log", in.export_to.log, "this log only");
  log->type_name("LOG");
  command->add_flag("--all", in.export_to.all, "all logs")->excludes(log);
  command->add_option("--out", in.export_to.out, "goes on where an earlier export ended")
      ->type_name("DIR")
      ->required();
}

void add_report(CLI::App& audit, Invocation& in) {
  CLI::App* report = add(audit, in, "report", "who touched which card, how often, how it ended",
                         [&in] { return report_touches(in.context, in.report); });
  CLI::Option* day = report->add_option("--day", in.report.day, "today by default; UTC");
  CLI::Option* from = report->add_option("--from", in.report.from, "the log's first by default");
  CLI::Option* to = report->add_option("--to", in.report.to, "this one too; today by default");
  for (CLI::Option* option : {day, from, to}) option->type_name("YYYY-MM-DD");
  from->excludes(day);
  to->excludes(day);
  report->add_option("--merchant", in.report.merchant, "this one's cards only")->type_name("ID");
  report->add_option("--plot", in.report.plot, "draw it, too: a bar per day")->type_name("FILE");
}

void add_archives(CLI::App& audit, Invocation& in) {
  add(audit, in, "archive", "seal what has been at hand long enough, now",
      [&in] { return archive_now(in.context); });
  add(audit, in, "archives", "what archives there are, and until when each is locked",
      [&in] { return list_archives(in.context); });
  CLI::App* restore = add(audit, in, "restore", "bring archived entries back for some days",
                          [&in] { return restore_archives(in.context, in.restore); });
  CLI::Option* names = restore->add_option("archive", in.restore.archives, "of `archives`");
  CLI::Option* log = restore->add_option("--log", in.restore.log, "with --index: of this entry");
  CLI::Option* index = restore->add_option("--index", in.restore.index, "counted from 0");
  names->type_name("ARCHIVE");
  log->type_name("LOG")->needs(index)->excludes(names);
  index->type_name("N")->needs(log);
  CLI::App* hold = add(audit, in, "hold", "lock an archive longer; nothing locks it shorter",
                       [&in] { return hold_archive(in.context, in.name, in.until); });
  hold->add_option("archive", in.name, "of `archives`")->type_name("ARCHIVE")->required();
  hold->add_option("--until", in.until, "UTC")->type_name("YYYY-MM-DD")->required();
  CLI::App* dispose = add(audit, in, "dispose", "remove an archive whose lock is over",
                          [&in] { return dispose_archive(in.context, in.name); });
  dispose->add_option("archive", in.name, "of `archives`")->type_name("ARCHIVE")->required();
  CLI::App* open = add(audit, in, "open-archive", "without auditd: its segment, proved",
                       [&in] { return open_archive(in.context, in.open); });
  open->add_option("file", in.open.file, "the archive")->type_name("FILE")->required();
  open->add_option("--key", in.open.key, "auditd's archive_key")->type_name("FILE")->required();
  open->add_option("--passphrase", in.open.passphrase, "that opens it; readable by you alone")
      ->type_name("FILE")
      ->required();
  open->add_option("--vkey", in.open.vkey, "the log's key; the one in DIR by default")
      ->type_name("FILE");
  open->add_option("--out", in.open.out, "folder for the segment")->type_name("DIR")->required();
}

void add_audit(CLI::App& app, Invocation& in) {
  CLI::App* audit = app.add_subcommand("audit", "the audit log");
  audit->require_subcommand(1);
  CLI::App* verify = add(*audit, in, "verify", "check every entry, tree and checkpoint", [&in] {
    return in.exported.empty() ? verify_audit_log(in.context, in.vkey)
                               : verify_export(in.context, in.exported, in.vkey);
  });
  verify->add_option("--vkey", in.vkey, "the public key; the one in DIR by default")
      ->type_name("FILE");
  add_audit_search(*audit, in);
  add_witness_exchange(*audit, in);
  verify->add_option("--export", in.exported, "check what `export` wrote to this folder instead")
      ->type_name("DIR");
  add_proofs(*audit, in);
  add_export(*audit, in);
  add_report(*audit, in);
  add_archives(*audit, in);
}

// A command of a witness, whose folder is no deployment's.
CLI::App* add_to_witness(CLI::App& witness, Invocation& in, const char* name,
                         const char* description, std::function<int()> run) {
  CLI::App* command = add(witness, in, name, description, std::move(run));
  command->get_option("--dir")->required()->description("the witness's folder");
  return command;
}

void add_witness(CLI::App& app, Invocation& in) {
  CLI::App* witness = app.add_subcommand("witness", "cosign logs that others keep");
  witness->require_subcommand(1);
  CLI::App* init = add_to_witness(*witness, in, "init", "make a witness: its key and its folder",
                                  [&in] { return init_witness(in.context, in.witness); });
  init->add_option("--name", in.witness.name, "of its key, as witness.example/w1")
      ->type_name("NAME")
      ->required();
  CLI::Option* listen =
      init->add_option("--listen", in.witness.listen, "where it serves")->type_name("ADDRESS:PORT");
  CLI::Option* certificate =
      init->add_option("--certificate", in.witness.certificate, "shown to the logs; PEM")
          ->type_name("FILE");
  CLI::Option* key =
      init->add_option("--key", in.witness.key, "of the certificate; PEM")->type_name("FILE");
  listen->needs(certificate)->needs(key);
  certificate->needs(listen);
  key->needs(listen);
  CLI::App* add_log =
      add_to_witness(*witness, in, "add-log", "cosign this log from now on, also while it runs",
                     [&in] { return add_witnessed_log(in.context, in.vkey); });
  add_log->add_option("vkey", in.vkey, "the log's verifier key")->type_name("VKEY")->required();
  add_to_witness(*witness, in, "run", "serve /add-checkpoint until a signal comes",
                 [&in] { return run_witness(in.context); });
  CLI::App* cosign = add_to_witness(*witness, in, "cosign", "answer a request from a carried file",
                                    [&in] { return cosign_file(in.context, in.file); });
  cosign->add_option("file", in.file, "an add-checkpoint request")->type_name("FILE")->required();
  add_to_witness(*witness, in, "show", "its key, and how much of each log it has cosigned",
                 [&in] { return show_witness(in.context); });
}

// CLI11 looks for a command before it looks at the words that are none.
std::string what_is_wrong(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* within = &app;
  std::string name = "strongroom";
  for (auto chosen = within->get_subcommands(); !chosen.empty();
       chosen = within->get_subcommands()) {
    within = chosen.front();
    name += " " + within->get_name();
  }
  const bool wants_command = !within->get_subcommands({}).empty();
  if (!wants_command) return error.what();
  const std::vector<std::string> words = app.remaining(true);
  const std::string why =
      words.empty() ? "a command is missing" : fmt::format("no such command: {}", words.front());
  return fmt::format("{} (see {} --help)", why, name);
}

int run(int argc, char** argv) {
  Invocation in;
  in.context.directory = default_directory();
  CLI::App app{"operate and check a Strongroom deployment", "strongroom"};
  use_manual_form(app);
  app.set_help_flag("--help", "print this text");
  app.set_version_flag("--version", fmt::format("strongroom {}", service::kVersion),
                       "print the version");
  app.require_subcommand(1);
  add_init(app, in);
  add(app, in, "status", "readiness of every daemon", [&in] { return show_status(in.context); });
  add_merchants(app, in);
  add_api_keys(app, in);
  add_connector_accounts(app, in);
  add_audit(app, in);
  add_witness(app, in);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return failed(kUsage, what_is_wrong(app, error));
  }
  return in.command();
}

}  // namespace
}  // namespace strongroom::tool

int main(int argc, char** argv) { return strongroom::tool::run(argc, argv); }

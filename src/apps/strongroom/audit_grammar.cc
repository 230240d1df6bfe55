// The grammar of `strongroom audit`.
#include "apps/strongroom/audit_command.h"
#include "apps/strongroom/audit_verify_export.h"
#include "apps/strongroom/grammar.h"

namespace strongroom::tool {
namespace {

void add_audit_search(CLI::App& audit, Invocation& in) {
  CLI::App* search = add_command(audit, in, "search", "entries by what they concern, newest first",
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
  CLI::App* tail = add_command(audit, in, "tail", "the last entries, oldest first",
                               [&in] { return tail_audit_log(in.context, in.lines, in.follow); });
  tail->add_option("--lines", in.lines, "10 by default")->type_name("N")->check(CLI::Range(1, 50));
  tail->add_flag("--follow", in.follow, "go on with those that come");
}

void add_witness_exchange(CLI::App& audit, Invocation& in) {
  CLI::App* out =
      add_command(audit, in, "witness-export", "write a request for a witness to a file",
                  [&in] { return export_for_witness(in.context, in.submission); });
  out->add_option("--out", in.submission.out, "the file")->type_name("FILE")->required();
  out->add_option("--old", in.submission.old_size, "entries that it has cosigned already")
      ->type_name("N");
  CLI::App* back =
      add_command(audit, in, "witness-import", "bring a witness's answer to auditd",
                  [&in] { return import_from_witness(in.context, in.file, in.answer); });
  back->add_option("request", in.file, "the file that was exported")
      ->type_name("REQUEST")
      ->required();
  back->add_option("answer", in.answer, "what the witness printed")
      ->type_name("ANSWER")
      ->required();
  CLI::App* open =
      add_command(audit, in, "open-shard", "after a lawful restore: record it, begin new logs",
                  [&in] { return open_shard(in.context, in.reason); });
  open->add_option("--reason", in.reason, "for the log.break entry")->type_name("TEXT")->required();
}

void add_proofs(CLI::App& audit, Invocation& in) {
  CLI::App* prove = add_command(audit, in, "prove", "write proof files of entries",
                                [&in] { return prove_entries(in.context, in.prove); });
  CLI::Option* token = prove->add_option("--token", in.prove.token, "all entries about this token");
  token->type_name("TOKEN");
  CLI::Option* log =
      prove->add_option("--log", in.prove.log, "with --index: one entry of this log");
  CLI::Option* index = prove->add_option("--index", in.prove.index, "counted from 0");
  log->type_name("LOG")->needs(index)->excludes(token);
  index->type_name("N")->needs(log);
  prove->add_option("--out", in.prove.out, "folder; this one by default")->type_name("DIR");
  CLI::App* check =
      add_command(audit, in, "check-proof", "check a proof file and its entry, offline",
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
  CLI::App* command =
      add_command(audit, in, "export", "write logs as static files for others' tools",
                  [&in] { return export_logs(in.context, in.export_to); });
  CLI::Option* log = command->add_option("--log", in.export_to.log, "this log only");
  log->type_name("LOG");
  command->add_flag("--all", in.export_to.all, "all logs")->excludes(log);
  command->add_option("--out", in.export_to.out, "goes on where an earlier export ended")
      ->type_name("DIR")
      ->required();
}

void add_report(CLI::App& audit, Invocation& in) {
  CLI::App* report =
      add_command(audit, in, "report", "who touched which card, how often, how it ended",
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
  add_command(audit, in, "archive", "seal what has been at hand long enough, now",
              [&in] { return archive_now(in.context); });
  add_command(audit, in, "archives", "what archives there are, and until when each is locked",
              [&in] { return list_archives(in.context); });
  CLI::App* restore = add_command(audit, in, "restore", "bring archived entries back for some days",
                                  [&in] { return restore_archives(in.context, in.restore); });
  CLI::Option* names = restore->add_option("archive", in.restore.archives, "of `archives`");
  CLI::Option* log = restore->add_option("--log", in.restore.log, "with --index: of this entry");
  CLI::Option* index = restore->add_option("--index", in.restore.index, "counted from 0");
  names->type_name("ARCHIVE");
  log->type_name("LOG")->needs(index)->excludes(names);
  index->type_name("N")->needs(log);
  CLI::App* hold =
      add_command(audit, in, "hold", "lock an archive longer; nothing locks it shorter",
                  [&in] { return hold_archive(in.context, in.name, in.until); });
  hold->add_option("archive", in.name, "of `archives`")->type_name("ARCHIVE")->required();
  hold->add_option("--until", in.until, "UTC")->type_name("YYYY-MM-DD")->required();
  CLI::App* dispose = add_command(audit, in, "dispose", "remove an archive whose lock is over",
                                  [&in] { return dispose_archive(in.context, in.name); });
  dispose->add_option("archive", in.name, "of `archives`")->type_name("ARCHIVE")->required();
  CLI::App* open = add_command(audit, in, "open-archive", "without auditd: its segment, proved",
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

}  // namespace

void add_audit(CLI::App& app, Invocation& in) {
  CLI::App* audit = app.add_subcommand("audit", "the audit log");
  audit->require_subcommand(1);
  CLI::App* verify =
      add_command(*audit, in, "verify", "check every entry, tree and checkpoint", [&in] {
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

}  // namespace strongroom::tool

// The grammar of `backup` and `restore`.
#include "apps/strongroom/backup_create.h"
#include "apps/strongroom/backup_restore.h"
#include "apps/strongroom/grammar.h"

namespace strongroom::tool {

void add_backup(CLI::App& app, Invocation& in) {
  CLI::App* backup = app.add_subcommand("backup", "databases, audit log and keys, encrypted");
  backup->require_subcommand(1);
  CLI::App* create = add_command(*backup, in, "create", "back up a running deployment, and verify",
                                 [&in] { return create_backup(in.context, in.backup); });
  create->add_option("--out", in.backup.out, "new folder, for databases, log and sealed files")
      ->type_name("FOLDER")
      ->required();
  create->add_option("--passphrase", in.backup.passphrase, "opens it; readable by you alone")
      ->type_name("FILE")
      ->required();
  CLI::Option* keys =
      create->add_option("--keys-out", in.backup.keys_out,
                         "new folder, for another place: SoftHSM's token, secrets, certificates");
  CLI::Option* keys_passphrase = create->add_option("--keys-passphrase", in.backup.keys_passphrase,
                                                    "opens that one; another than the first");
  keys->type_name("FOLDER")->needs(keys_passphrase);
  keys_passphrase->type_name("FILE")->needs(keys);
  CLI::App* verify =
      add_command(*backup, in, "verify", "read all of a backup, its audit log too",
                  [&in] { return verify_backup(in.context, in.file, in.backup.passphrase); });
  verify->add_option("folder", in.file, "of --out or --keys-out")->type_name("FOLDER")->required();
  verify->add_option("--passphrase", in.backup.passphrase, "opens it; readable by you alone")
      ->type_name("FILE")
      ->required();

  CLI::App* restore =
      add_command(app, in, "restore", "make an empty DIR into what was backed up",
                  [&in] { return restore_deployment(in.context, in.restore_from); });
  RestoreFrom& from = in.restore_from;
  restore->add_option("--from", from.from, "backup of the data")->type_name("FOLDER")->required();
  restore->add_option("--passphrase", from.passphrase, "opens it")->type_name("FILE")->required();
  restore->add_option("--keys", from.keys, "backup of the keys")->type_name("FOLDER")->required();
  restore->add_option("--keys-passphrase", from.keys_passphrase, "opens that one")
      ->type_name("FILE")
      ->required();
  restore->add_option("--config", from.config, "configuration, in place of the one backed up")
      ->type_name("FILE");
  CLI::Option_group* log = restore->add_option_group("log");
  CLI::Option* newest =
      log->add_option("--log", from.log, "newest copy of DIR/audit: what it says was erased is")
          ->type_name("FOLDER");
  restore
      ->add_flag("--log-is-final", from.log_is_final,
                 "auditd had stopped, and ends with that log's last entry")
      ->needs(newest);
  log->add_flag("--log-is-lost", from.log_is_lost, "there is none newer than the backup's");
  log->require_option(1);
}

}  // namespace strongroom::tool

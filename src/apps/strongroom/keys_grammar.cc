// The grammar of `keys`.
#include "apps/strongroom/grammar.h"
#include "apps/strongroom/key_ending.h"
#include "apps/strongroom/keys.h"
#include "apps/strongroom/keys_architecture.h"

namespace strongroom::tool {
namespace {

void add_key_ending(CLI::App& keys, Invocation& in) {
  const auto takes_version = [&in](CLI::App* command) {
    command->add_option("key", in.keys.key, "as pan-encryption/1")
        ->type_name("NAME/VERSION")
        ->required();
  };
  takes_version(add_command(keys, in, "retire",
                            "take a version out of use; of an active one, by a rotation",
                            [&in] { return retire_key(in.context, in.keys); }));
  takes_version(add_command(keys, in, "mark-compromised",
                            "note that a version is not to be trusted, and rotate if it is active",
                            [&in] { return mark_key_compromised(in.context, in.keys); }));
  takes_version(add_command(keys, in, "destroy",
                            "destroy a version in the HSM, or tell all that hinders it (1)",
                            [&in] { return destroy_key(in.context, in.keys); }));
}

void add_key_backups(CLI::App& keys, Invocation& in) {
  KeyBackupOptions& options = in.key_backups;
  CLI::App* backups = keys.add_subcommand(
      "backups", "the ledger of backups: which copies of the keys there are, and how they ended");
  backups->require_subcommand(1);
  CLI::App* list =
      add_command(*backups, in, "list", "copies of the keys, and the last backup of the data",
                  [&in] { return list_key_backups(in.context, in.key_backups); });
  list->add_flag("--all", options.all, "also those that have come to their end");
  CLI::App* add = add_command(*backups, in, "add",
                              "note a copy that was made by other means, as the HSM's own backup",
                              [&in] { return add_key_backup(in.context, in.key_backups); });
  add->add_option("means", options.means, "what it was made by, and where it is")
      ->type_name("TEXT")
      ->required();
  CLI::App* close = add_command(*backups, in, "close", "note how a copy of the keys has ended",
                                [&in] { return close_key_backup(in.context, in.key_backups); });
  close->add_option("id", options.id, "of the list")->type_name("ID")->required();
  close->add_flag("--destroyed", options.destroyed, "every copy of it is destroyed");
  close
      ->add_option("--replaced-by", options.replaced_by,
                   "every copy of it was overwritten by this backup of keys")
      ->type_name("ID");
}

}  // namespace

void add_keys(CLI::App& app, Invocation& in) {
  CLI::App* keys =
      app.add_subcommand("keys", "vaultd's keys in the HSM: inventory, rotation, end, backups");
  keys->require_subcommand(1);
  add_command(*keys, in, "list",
              "every version: state, age, uses, what stands under it, who has it",
              [&in] { return list_keys(in.context); });
  CLI::App* show = add_command(*keys, in, "show", "one version, with its check value",
                               [&in] { return show_key(in.context, in.keys); });
  show->add_option("key", in.keys.key, "as pan-encryption/1")
      ->type_name("NAME/VERSION")
      ->required();
  CLI::App* rotate = add_command(*keys, in, "rotate",
                                 "make a new version, and wait until every vaultd works with it",
                                 [&in] { return rotate_key(in.context, in.keys); });
  rotate->add_option("key", in.keys.key, "pan-encryption; no other can be rotated yet")
      ->type_name("NAME")
      ->required();
  rotate->add_flag("--no-wait", in.keys.no_wait, "only begin: it becomes active by itself");
  add_command(*keys, in, "check",
              "compare registry and HSM, and look for a foreign hand; 1: there are findings",
              [&in] { return check_keys(in.context); });
  add_key_ending(*keys, in);
  add_key_backups(*keys, in);
  CLI::App* architecture = add_command(
      *keys, in, "architecture",
      "the document of PCI DSS 3.6.1.1, from what runs now: algorithms, keys, HSM, certificates",
      [&in] { return write_architecture(in.context, in.keys.output); });
  architecture->add_option("--output", in.keys.output, "a new file; else standard output")
      ->type_name("FILE");
}

}  // namespace strongroom::tool

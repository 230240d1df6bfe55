// The grammar of `keys`.
#include "apps/strongroom/grammar.h"
#include "apps/strongroom/keys.h"
#include "apps/strongroom/keys_architecture.h"

namespace strongroom::tool {

void add_keys(CLI::App& app, Invocation& in) {
  CLI::App* keys = app.add_subcommand("keys", "vaultd's keys in the HSM: inventory and rotation");
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
  CLI::App* architecture = add_command(
      *keys, in, "architecture",
      "the document of PCI DSS 3.6.1.1, from what runs now: algorithms, keys, HSM, certificates",
      [&in] { return write_architecture(in.context, in.keys.output); });
  architecture->add_option("--output", in.keys.output, "a new file; else standard output")
      ->type_name("FILE");
}

}  // namespace strongroom::tool

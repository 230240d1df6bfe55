// The grammar of `certificates`.
#include "apps/strongroom/certificates.h"
#include "apps/strongroom/grammar.h"

namespace strongroom::tool {

void add_certificates(CLI::App& app, Invocation& in) {
  CLI::App* certificates =
      app.add_subcommand("certificates", "the services' certificates, which end");
  certificates->require_subcommand(1);
  add_command(*certificates, in, "list",
              "whose each is, who signed it, when it ends; 1: one is due, or not readable",
              [&in] { return list_certificates(in.context); });
  CLI::App* renew = add_command(
      *certificates, in, "renew",
      "make those anew, with new keys, that have less than a third of their time left, and have "
      "their daemons read them",
      [&in] { return renew_certificates(in.context, in.renew); });
  CLI::Option* names = renew
                           ->add_option("certificate", in.renew.names,
                                        "these, as vaultd or edged/public, also if not due")
                           ->type_name("NAME");
  renew->add_flag("--all", in.renew.all, "all that the deployment's CA has signed")
      ->excludes(names);
  renew->add_option("--ca-key", in.renew.ca_key, "where it is not DIR/secrets/ca.key")
      ->type_name("FILE");
}

}  // namespace strongroom::tool

// strongroom: operators' and assessors' command line. This file is the grammar, with that
// of `audit` in a file beside it; each command has a file of its own.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "apps/strongroom/connector_accounts.h"
#include "apps/strongroom/context.h"
#include "apps/strongroom/deletes.h"
#include "apps/strongroom/directory_commands.h"
#include "apps/strongroom/grammar.h"
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

CLI::App* add_command(CLI::App& parent, Invocation& invocation, const char* name,
                      const char* description, std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->add_option("--dir", invocation.context.directory, "the deployment's folder")
      ->type_name("DIR");
  command->add_flag("--json", invocation.context.json, "print JSON");
  command->callback([&invocation, run = std::move(run)] { invocation.command = run; });
  return command;
}

namespace {

std::string default_directory() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the tool has one thread
  const char* set = std::getenv("STRONGROOM_DIR");
  return set != nullptr && *set != '\0' ? set : "./sandbox";
}

void add_init(CLI::App& app, Invocation& in) {
  CLI::App* init = add_command(app, in, "init", "make a deployment in an empty folder",
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
  init->add_option("--hsm-token", in.init.hsm_token, "label of its token; strongroom by default")
      ->type_name("LABEL");
  init->add_option("--hsm-pin-file", in.init.hsm_pin_file,
                   "user PIN of a token that is there already; without it one is made")
      ->type_name("FILE");
  init->add_option("--hsm-settings", in.init.hsm_settings_file,
                   "more lines for [hsm] of strongroom.toml, as this module needs them")
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
  CLI::App* create = add_command(*merchants, in, "create", "add a merchant",
                                 [&in] { return create_merchant(in.context, in.name); });
  create->add_option("--name", in.name, "shown to people")->type_name("TEXT")->required();
  add_command(*merchants, in, "list", "all merchants",
              [&in] { return list_merchants(in.context); });
}

void add_api_keys(CLI::App& app, Invocation& in) {
  CLI::App* keys = app.add_subcommand("api-keys", "credentials of merchants");
  keys->require_subcommand(1);
  CLI::App* create = add_command(*keys, in, "create", "make a key and print it once", [&in] {
    return create_api_key(in.context, in.merchant, in.name, in.role);
  });
  create->add_option("--merchant", in.merchant, "whose key")->type_name("ID")->required();
  create->add_option("--name", in.name, "shown to people")->type_name("TEXT")->required();
  create->add_option("--role", in.role, "merchant_admin (the default), merchant_user or tokenizer")
      ->type_name("ROLE");
  CLI::App* revoke = add_command(*keys, in, "revoke", "end a key, within a second everywhere",
                                 [&in] { return revoke_api_key(in.context, in.id); });
  revoke->add_option("id", in.id, "the key's id")->type_name("ID")->required();
  CLI::App* list = add_command(*keys, in, "list", "keys of a merchant, without their text",
                               [&in] { return list_api_keys(in.context, in.merchant); });
  list->add_option("--merchant", in.merchant, "whose keys")->type_name("ID")->required();
}

void add_connector_accounts(CLI::App& app, Invocation& in) {
  CLI::App* accounts = app.add_subcommand("connector-accounts", "merchants at their processors");
  accounts->require_subcommand(1);
  CLI::App* add_one = add_command(
      *accounts, in, "add", "seal a credential, read from standard input unless a file is named",
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
  CLI::App* list =
      add_command(*accounts, in, "list", "accounts of a merchant, without their credentials",
                  [&in] { return list_connector_accounts(in.context, in.merchant); });
  list->add_option("--merchant", in.merchant, "whose accounts")->type_name("ID")->required();
}

void add_deletes(CLI::App& app, Invocation& in) {
  CLI::App* deletes = app.add_subcommand("deletes", "deletes above their budget, which wait");
  deletes->require_subcommand(1);
  add_command(*deletes, in, "list", "those that wait, by merchant and API key",
              [&in] { return list_deletes(in.context); });
  const auto add_decision = [&](const char* name, const char* description) {
    CLI::App* decision = add_command(*deletes, in, name, description, [&in, name] {
      return decide_deletes(in.context, name, in.deletes);
    });
    decision->add_option("--merchant", in.deletes.merchant, "whose")->type_name("ID")->required();
    decision->add_option("--key", in.deletes.key, "only what this API key asked for")
        ->type_name("ID");
  };
  add_decision("release", "carry out those that wait now, in your name");
  add_decision("refuse", "forget those that wait now: the cards stay");
}

void add_erase_proof(CLI::App& app, Invocation& in) {
  CLI::App* proof = add_command(
      app, in, "erase-proof",
      "the proof that a card is erased: its chain of audit entries, and what lies outside it",
      [&in] { return prove_erasure(in.context, in.erase_proof); });
  proof->add_option("token", in.erase_proof.token, "of the card")->type_name("TOKEN")->required();
  proof->add_option("--out", in.erase_proof.out, "folder for the proof files of these entries")
      ->type_name("DIR");
}

// A command of a witness, whose folder is no deployment's.
CLI::App* add_to_witness(CLI::App& witness, Invocation& in, const char* name,
                         const char* description, std::function<int()> run) {
  CLI::App* command = add_command(witness, in, name, description, std::move(run));
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
  add_command(app, in, "status", "readiness of every daemon",
              [&in] { return show_status(in.context); });
  add_merchants(app, in);
  add_api_keys(app, in);
  add_connector_accounts(app, in);
  add_deletes(app, in);
  add_erase_proof(app, in);
  add_keys(app, in);
  add_certificates(app, in);
  add_audit(app, in);
  add_backup(app, in);
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

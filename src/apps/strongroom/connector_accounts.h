// connector-accounts: an operator brings a merchant's credential at a processor.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct NewAccount {
  std::string merchant;
  std::string connector;        // the instance is connectord-<connector>
  std::string account_id;       // whose credential is replaced; empty: a new account
  std::string credential_file;  // empty: standard input. Never an argument, which all may read
};

// Lets connectord seal the credential, which is not shown again, gives the sealed account to
// gatewayd where the deployment has one, and prints it. There, a credential is replaced only in an
// account that the merchant has.
int add_connector_account(const Context& context, const NewAccount& account);
// Prints what gatewayd has of the merchant's accounts: never a credential.
int list_connector_accounts(const Context& context, const std::string& merchant);

}  // namespace strongroom::tool

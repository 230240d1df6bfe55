// erase-proof: what the audit log proves of a card's end, and what it cannot.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct EraseProofOptions {
  std::string token;
  std::string out;  // a folder for the proof files, made if absent; empty: none
};

// Prints the chain of entries, each proven to be in a signed tree, what is missing from it, and
// what lies outside. kOk: the card is erased; kCheckFailed: not yet, or no entry is about the
// token; kArchived: what would decide is in archives; kNotReachable: auditd does not sign for the
// newest entries. Of a copy of the log outside of a deployment it needs no daemon.
int prove_erasure(const Context& context, const EraseProofOptions& options);

}  // namespace strongroom::tool

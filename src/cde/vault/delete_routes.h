// The operator's routes of deletes that wait, for vaultd's admin socket.
#pragma once

#include "cde/vault/delete_desk.h"
#include "http/router.h"

namespace strongroom::cde {

struct DeleteParts {
  const bool& serving;  // false: 503
  DeleteDesk& desk;
};

// GET /v1/held-deletes lists by merchant and key, page by page; POST to /release or /refuse below
// it, with `{"merchant","key"?}`, decides on what is held.
void add_delete_routes(http::Router& router, DeleteParts parts);

}  // namespace strongroom::cde

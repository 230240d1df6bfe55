// Requests to vaultd's admin socket.
#include "apps/strongroom/ledger_notes.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/key_answers.h"

namespace strongroom::tool {
namespace {

void say(std::string_view what) { fmt::print(stderr, "strongroom: {}\n", what); }

}  // namespace

bool LedgerNotes::note(backup::Kind kind, std::string_view act) const {
  const boost::json::object body{{"id", id_}, {"kind", backup::to_string(kind)}, {"act", act}};
  const auto answer = call_admin(context_.directory, kKeysDaemon, http::Method::post,
                                 kBackupLedgerTarget, boost::json::serialize(body));
  return answer && answer->status == 200;
}

Done<void> LedgerNotes::begin(backup::Kind kind) {
  if (note(kind, "begin")) {
    open_.push_back(kind);
    return {};
  }
  static_cast<void>(note(kind, "failed"));  // only the answer may be lost
  if (kind == backup::Kind::keys) {
    return failure(kNotReachable,
                   fmt::format("{}: vaultd does not note this backup of its keys, so there is none:"
                               " start it, or leave --keys-out away",
                               context_.directory));
  }
  say("vaultd does not note this backup, so no key is destroyed on its strength");
  return {};
}

Done<void> LedgerNotes::verified(backup::Kind kind) {
  const auto begun = std::ranges::find(open_, kind);
  if (begun == open_.end()) return {};
  const bool noted = note(kind, "verified");
  if (!noted && kind == backup::Kind::keys) {
    return failure(
        kCheckFailed,
        fmt::format("{}: vaultd does not note that the backup of its keys is whole: it is"
                    " gone, or somebody has closed {} meanwhile; make another",
                    context_.directory, id_));
  }
  open_.erase(begun);
  if (!noted) {
    say("vaultd does not note that the data's backup is whole, so no key is destroyed on its"
        " strength");
  }
  return {};
}

void LedgerNotes::failed() {
  for (const backup::Kind kind : open_) {
    if (note(kind, "failed") || kind == backup::Kind::data) continue;
    say(fmt::format(
        "what was written of the keys is removed, which vaultd does not note: strongroom"
        " keys backups close {} --destroyed",
        id_));
  }
  open_.clear();
}

}  // namespace strongroom::tool

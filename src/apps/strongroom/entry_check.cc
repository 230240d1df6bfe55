#include "apps/strongroom/entry_check.h"

#include <fmt/core.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <utility>

#include "apps/strongroom/admin_call.h"
#include "audit/logs.h"
#include "audit/proof.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr Error kAltered{ErrorCode::corrupt, "not the one that is in the log"};

}  // namespace

EntryCheck::EntryCheck(const Context& context) {
  const auto paths = read_audit_paths(context);
  if (!paths || ::access(paths->directory.c_str(), R_OK | X_OK) != 0 ||
      ::access(paths->vkey.c_str(), R_OK) != 0) {
    return;
  }
  directory_ = paths->directory;
  if (auto key = LogKey::read(paths->vkey)) key_ = *std::move(key);
}

// The text of an entry is canonical, so what was parsed is written again byte for byte.
Result<void> EntryCheck::check(const boost::json::object& found) {
  const boost::json::value& entry = found.at("entry");
  if (entry.is_null()) return {};
  const std::string bytes = boost::json::serialize(entry);
  const audit::Hash leaf = audit::leaf_hash(as_bytes(bytes));
  if (base64(leaf) != member(found, "leaf_hash")) return fail(kAltered);
  if (!key_) return {};
  const std::string log = member(found, "owner") + "-" + member(found, "shard");
  const boost::json::value& at = found.at("index");
  if (!audit::is_log_name(log) || !at.is_int64() || at.get_int64() < 0) return fail(kAltered);
  const auto index = static_cast<std::uint64_t>(at.get_int64());
  SR_TRY(OpenLog * opened, open(log, index));
  const audit::TreeHead head = opened->newest.head();
  if (index >= head.size) return fail(kAltered);
  SR_TRY(const auto proof, audit::inclusion_proof(opened->reader, index, head.size));
  if (!audit::verify_inclusion(leaf, index, proof, head)) return fail(kAltered);
  return {};
}

// With a checkpoint that covers `index`, if there is one.
Result<EntryCheck::OpenLog*> EntryCheck::open(const std::string& log_name, std::uint64_t index) {
  const auto known = logs_.find(log_name);
  if (known != logs_.end() && index < known->second.newest.size) return &known->second;
  SR_TRY(audit::LogReader reader, audit::LogReader::open(files_, directory_, log_name));
  SR_TRY(const std::string note, reader.newest_note());
  SR_TRY(const audit::NoteVerifier verifier,
         key_->verifier(audit::log_origin(key_->place(), log_name)));
  SR_TRY(audit::Checkpoint newest, audit::open_checkpoint(note, verifier));
  OpenLog log{.reader = std::move(reader), .newest = std::move(newest)};
  return &logs_.insert_or_assign(log_name, std::move(log)).first->second;
}

std::string_view EntryCheck::what_was_done() const noexcept {
  return key_ ? "each entry was checked against the signed log"
              : "the log's files cannot be read here: each entry was checked against the hash that "
                "audit-relay gave";
}

}  // namespace strongroom::tool

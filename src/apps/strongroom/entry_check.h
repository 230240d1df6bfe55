// EntryCheck: whether the entries that audit-relay shows stand in the audit log, by the log's own
// files and key where this user may read them.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/context.h"
#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/log_reader.h"
#include "base/result.h"

namespace strongroom::tool {

class EntryCheck {
 public:
  explicit EntryCheck(const Context& context);

  // Checks {owner, shard, index, leaf_hash, entry}: against a checkpoint that the log's key signed,
  // or, where its files cannot be read here, against the hash that audit-relay says. An archived
  // entry has nothing to check. corrupt: it is not what stands there; errors of LogReader.
  [[nodiscard]] Result<void> check(const boost::json::object& found);
  // What was done, for whoever reads the answer.
  [[nodiscard]] std::string_view what_was_done() const noexcept;

 private:
  struct OpenLog {
    audit::LogReader reader;
    audit::Checkpoint newest;  // verified
  };
  Result<OpenLog*> open(const std::string& log_name, std::uint64_t index);

  audit::PosixFiles files_;
  std::string directory_;
  std::optional<LogKey> key_;  // nullopt: the log cannot be read
  std::map<std::string, OpenLog> logs_;
};

}  // namespace strongroom::tool

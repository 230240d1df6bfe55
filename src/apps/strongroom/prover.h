// Prover: finds entries of a deployment's audit log by its files, and proves that they are in trees
// that the log's key has signed. Needs no daemon.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/frame.h"
#include "audit/log_reader.h"
#include "audit/tile.h"
#include "base/result.h"

namespace strongroom::tool {

struct EntryPlace {
  std::string log;
  std::uint64_t index = 0;
  bool operator==(const EntryPlace&) const = default;
};

// "mer_1-2026-4": names the files of an entry's proof.
[[nodiscard]] std::string file_of(const EntryPlace& place);

// Entries of a log that are in archives.
struct Away {
  std::map<std::uint64_t, std::uint64_t> segments;  // how many, by their first sequence
  std::uint64_t end = 0;                            // index behind the last one
};
using AwayByLog = std::map<std::string, Away>;
// "3 entries in archives from ... to ...". REQUIRES: !away.empty().
[[nodiscard]] std::string text_of(const AwayByLog& away);

// What was proven, and its pair of files; or the segment, by its first sequence, that had to be at
// hand for that.
struct Proven {
  EntryPlace entry;
  std::optional<EntryPlace>
      record;  // in the operator's log, of the checkpoint that it is proven to
  std::uint64_t tree_size = 0;
  std::optional<std::uint64_t> away{};
  bool record_may_be_away = false;  // no record was found among the entries at hand
};

class Prover {
 public:
  // `files` outlives it. The files of proofs go to the folder `out`; where that is empty none are
  // written, and each proof is verified all the same.
  Prover(audit::Files& files, AuditPaths paths, LogKey key, std::string out)
      : files_(files), paths_(std::move(paths)), key_(std::move(key)), out_(std::move(out)) {}

  // Gives `take` every signed entry that is at hand, log by log; returns where the others are.
  using Take =
      std::function<void(const std::string& log, std::uint64_t index, std::string_view json)>;
  [[nodiscard]] Result<AwayByLog> each(const Take& take);

  // Proves an entry to the newest checkpoint that the operator's log records, or to its own log's
  // newest. not_found: no such entry, or nobody has signed for it yet; corrupt, permission_denied:
  // it is not in that tree.
  [[nodiscard]] Result<Proven> prove(const EntryPlace& place);

  // Where in the journal the entry stands.
  [[nodiscard]] Result<audit::FramePlace> journal_place(const EntryPlace& place);

 private:
  // A signed checkpoint: its note, and what that says once it was verified.
  struct Signed {
    std::string note;
    audit::Checkpoint checkpoint;
  };
  // The entry of the operator's log that records a checkpoint of another log.
  struct Record {
    EntryPlace place;
    Signed recorded;
  };

  std::string origin(std::string_view log) const;
  Result<audit::LogReader> open(const std::string& log);
  Result<Signed> opened(std::string note, std::string_view log);
  Result<Signed> newest(const std::string& log);
  Result<Signed> cosigned(const std::string& log);
  Result<Signed> best_for(const EntryPlace& place);
  Result<std::optional<std::uint64_t>> away_segment(const EntryPlace& place);
  Result<void> each_in(const std::string& log, const Take& take, AwayByLog& away);
  Result<const Record*> record_of(const EntryPlace& place);
  Result<std::optional<Record>> find_record(const std::string& log, bool witnessed);
  Result<std::optional<Record>> find_record_in(const std::string& operators, std::uint64_t size,
                                               const std::string& log);
  Result<std::optional<std::string>> note_of(const std::string& log,
                                             const audit::Checkpoint& checkpoint);
  Result<void> show(const EntryPlace& place, const Signed& checkpoint);
  Result<void> verify(const EntryPlace& place, std::string_view proof, std::string_view entry);

  audit::Files& files_;
  AuditPaths paths_;
  LogKey key_;
  std::string out_;
  std::map<std::pair<std::string, bool>, std::optional<Record>> records_;  // by log, witnessed
  bool passed_over_records_ = false;  // some of the operator's entries were in archives
};

// The exit status of a proof that failed, its reason printed.
int not_proven(const Error& error);

}  // namespace strongroom::tool

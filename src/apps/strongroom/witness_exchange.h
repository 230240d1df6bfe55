// audit witness-export, witness-import, open-shard: a log's dealings with its witnesses where they
// are done by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct WitnessExport {
  std::string out;                        // the file to write
  std::optional<std::uint64_t> old_size;  // that the witness cosigned last; else as known here
};
// Writes the add-checkpoint request for the newest checkpoint of the operator's log, and prints the
// log's vkey. Needs no daemon.
int export_for_witness(const Context& context, const WitnessExport& options);
// Brings the answer in the file `answer` to the request in the file `request` to auditd:
// cosignature lines, the newest checkpoint that a witness has cosigned, or only its size; and
// before that the checkpoints of the operator's other logs that stand behind it, whatever this
// store has of them. kCheckFailed: the store was rolled back.
int import_from_witness(const Context& context, const std::string& request,
                        const std::string& answer);

// After a lawful restore of an older copy: has auditd record the break, with the reason, and begin
// new logs.
int open_shard(const Context& context, const std::string& reason);

}  // namespace strongroom::tool

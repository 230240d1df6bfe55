// A witnessed proof: that an entry is in its log, and that the operator's log, which witnesses
// cosign, records the very tree that shows it. So nobody who has the log's key alone can make one.
#pragma once

#include <cstdint>
#include <string>

#include "async/task.h"
#include "connected/relay/reading.h"
#include "connected/relay/requests.h"

namespace strongroom::connected::relay {

// Its JSON, AuditWitnessedProof of the public API, of entry `index` of `log`, for who asks by
// `request`. Of the operator's log
// it shows the one entry that tells of `log`, with its proof. An entry of the operator's own log
// needs no record. not_found: no such entry; not_witnessed: nothing that covers it is cosigned,
// with a Retry-After unless no witness has cosigned anything yet;
// entry_archived: what records it may be in an archive; service_unavailable: the search index, by
// which records are found, lacks some of what is cosigned.
[[nodiscard]] async::Task<Answer<std::string>> witnessed_proof(RouteParts parts,
                                                               const http::Request& request,
                                                               std::string log,
                                                               std::uint64_t index);

}  // namespace strongroom::connected::relay

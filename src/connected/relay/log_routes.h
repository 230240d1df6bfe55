// Handlers of the logs' trees.
#pragma once

#include "async/task.h"
#include "connected/relay/reading.h"
#include "http/message.h"

namespace strongroom::connected::relay {

// The parts of the path are owner, shard, and what stands behind.
[[nodiscard]] async::Task<http::Response> list_logs(RouteParts parts, http::Request& request);
[[nodiscard]] async::Task<http::Response> show_checkpoint(RouteParts parts, http::Request& request);
[[nodiscard]] async::Task<http::Response> show_tile(RouteParts parts, http::Request& request);
[[nodiscard]] async::Task<http::Response> show_proof(RouteParts parts, http::Request& request);
[[nodiscard]] async::Task<http::Response> show_witnessed_proof(RouteParts parts,
                                                               http::Request& request);
// The operator's tool is about to read the log's files for its command {command}, of the logs of
// ?merchant= (of several owners without it) what ?what= says: 204 once log.read is in the log.
[[nodiscard]] async::Task<http::Response> record_file_reading(RouteParts parts,
                                                              http::Request& request);
// The operator's tool is about to export the log: 204 once log.export is in it.
[[nodiscard]] async::Task<http::Response> record_export(RouteParts parts, http::Request& request);

}  // namespace strongroom::connected::relay

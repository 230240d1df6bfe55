// EntryView: an entry's JSON read in place, without copies: what auditd and the verifier look at
// for every entry. The reader accepts exactly the bytes that to_json writes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "audit/entry.h"

namespace strongroom::audit {

// Views point into the JSON and are still escaped (\" and \\ only).
struct EntryView {
  EntryId uid;
  OperationId operation_id;
  EventType event_type = EventType::access_denied;
  Phase phase = Phase::single;
  Outcome outcome = Outcome::none;
  std::int64_t time_ms = 0;
  std::string_view timestamp;  // time_ms as text: 2026-...
  std::string_view instance, user, source_ip, operation;
  std::array<std::string_view, kResourcesMax> resources;
  std::size_t resource_count = 0;
  std::string_view gateway_token, merchant_id, connector_id, bin, last4, request_id;
  std::optional<std::uint64_t> count, old_size_bytes, new_size_bytes, tree_size;
  std::optional<TreeRoot> tree_root;
  std::string_view reason;
  std::optional<crypto::Sha256Digest> sha256;
  std::optional<std::uint64_t> until_ms;
};

// invalid_argument: not the one form (detail: the byte offset where reading stopped), or text that
// looks like a PAN; too_large: over kEntryBytesMax. `json` must outlive the view.
[[nodiscard]] Result<EntryView> read_entry(std::string_view json);

}  // namespace strongroom::audit

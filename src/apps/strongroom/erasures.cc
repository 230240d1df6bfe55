// Reading a journal for erasures.
#include "apps/strongroom/erasures.h"

#include <utility>

#include "audit/entry_view.h"
#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr Error kGone{ErrorCode::gone,
                      "what was erased right after the backup is in archives: bring these back"
                      " (audit restore, open-archive)"};

void take(Erasures& erasures, const audit::EntryView& entry, std::string_view json) {
  const bool erases = entry.event_type == audit::EventType::token_delete ||
                      entry.event_type == audit::EventType::token_expire;
  // A single one says that a card was not there any more, or what a run of expiry came to.
  if (!erases || entry.phase == audit::Phase::single || entry.gateway_token.empty()) return;
  if (entry.outcome == audit::Outcome::not_done || entry.outcome == audit::Outcome::failed) {
    erasures.erase(entry.operation_id);
  } else {
    erasures.insert_or_assign(entry.operation_id, std::string(json));
  }
}

}  // namespace

Result<Erasures> read_erasures(audit::Files& files, const std::string& directory,
                               std::uint64_t log_before) {
  SR_TRY(audit::JournalReader reader, audit::JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_oldest());
  Erasures erasures;
  bool first = true;
  while (true) {
    const auto frame = reader.next();
    if (!frame && reader.torn()) return erasures;
    if (!frame) return fail(frame.error());
    if (!*frame) return erasures;
    if (std::exchange(first, false) && (*frame)->sequence > log_before + 1) return fail(kGone);
    if ((*frame)->sequence <= log_before) continue;
    const std::string_view json = as_text((*frame)->entry);
    SR_TRY(const audit::EntryView entry, audit::read_entry(json));
    take(erasures, entry, json);
  }
}

std::vector<std::byte> encode(const Erasures& erasures) {
  std::vector<std::byte> out;
  append_u64be(out, erasures.size());
  for (const auto& [operation, json] : erasures) {
    append_u32be(out, static_cast<std::uint32_t>(json.size()));
    append_bytes(out, as_bytes(json));
  }
  return out;
}

}  // namespace strongroom::tool

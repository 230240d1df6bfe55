// Reading checkpoints, and waiting for better ones.
#include "apps/strongroom/signed_checkpoint.h"

#include <thread>
#include <utility>

#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr std::chrono::milliseconds kPause{100};

Result<SignedCheckpoint> opened(std::string note, const audit::NoteVerifier& key,
                                const Witnesses& witnesses) {
  SignedCheckpoint found{.note = std::move(note), .checkpoint = {}, .cosignatures = {}};
  SR_TRY(found.checkpoint, audit::open_checkpoint(found.note, key));
  SR_TRY(const audit::Note parsed, audit::parse_note(found.note));
  for (const audit::CosignatureVerifier& witness : witnesses) {
    SR_TRY(const auto time_s, witness.newest_s(parsed));
    if (time_s) found.cosignatures.push_back({witness.key().name, *time_s});
  }
  return found;
}

}  // namespace

Result<SignedCheckpoint> newest_signed(audit::LogReader& log, const audit::NoteVerifier& key,
                                       const Witnesses& witnesses) {
  SR_TRY(std::string note, log.newest_note());
  return opened(std::move(note), key, witnesses);
}

Result<SignedCheckpoint> newest_cosigned(audit::LogReader& log, const audit::NoteVerifier& key,
                                         const Witnesses& witnesses) {
  SR_TRY(std::string note, log.cosigned_note());
  SR_TRY(SignedCheckpoint found, opened(std::move(note), key, witnesses));
  if (found.cosignatures.empty()) return fail({ErrorCode::not_found, "no witness has cosigned it"});
  return found;
}

void wait_for_witnesses(audit::LogReader& log, const audit::NoteVerifier& key,
                        const Witnesses& witnesses, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto wanted = newest_signed(log, key, {});
  while (wanted && std::chrono::steady_clock::now() < deadline) {
    const auto found = newest_cosigned(log, key, witnesses);
    if (found && found->checkpoint.size >= wanted->checkpoint.size &&
        found->cosignatures.size() == witnesses.size()) {
      return;
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace strongroom::tool

// Witnessed: what others have seen of this host's logs, and so whether this is still the store that
// they saw. A store that was cut back to an earlier copy of itself agrees with itself, last-signed
// included; only who stands elsewhere can tell. What proves it is kept in DIR/audit/rolled-back.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/cosignature.h"
#include "audit/files.h"
#include "audit/note.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::auditd {

// So much later than this host's clock a cosignature may be dated: two clocks that are kept in time
// do not differ by more.
inline constexpr std::int64_t kClocksDifferMaxS = 300;

struct WitnessedOptions {
  std::string directory;                  // DIR/audit
  std::string place;                      // the beginning of every origin
  crypto::Ed25519PublicKey public_key;    // of the checkpoints
  std::vector<audit::NoteKey> witnesses;  // whose cosignatures count
  // What each log had when this auditd started, by its name. A checkpoint of more holds an entry
  // that nobody could have seen before, so no clock is needed to tell an old cosignature.
  std::map<std::string, std::uint64_t> sizes_at_start;
  std::string broken_at;  // the last break that the journal tells of; empty: none
};

// What follows from what a witness said.
enum class Testimony : std::uint8_t {
  witnessed,    // a witness has seen the log since this start
  consistent,   // true of this log, and no news
  settled,      // of a log that a recorded break has ended
  rolled_back,  // this store lacks what was signed for
};
[[nodiscard]] std::string_view to_string(Testimony testimony) noexcept;

// What became of a note.
struct Heard {
  Testimony testimony = Testimony::consistent;
  // Whose cosignatures on it were taken, of those that are configured; none where they do not
  // matter: of a log that was settled, or of a tree that this store lacks.
  std::vector<audit::NoteKey> witnesses;
};

// The newest checkpoint of an operator's log that a witness has cosigned since the start.
struct WitnessedHead {
  std::string log;  // its name
  std::uint64_t size = 0;
  std::int64_t time_s = 0;  // of the newest cosignature, POSIX seconds
};

// One thread at a time; calls may wait for the disk.
class Witnessed {
 public:
  // Reads what is kept of an earlier proof, and the checkpoint that proves the last break. `files`
  // and `clock` outlive it. invalid_argument: a witness's key; unavailable.
  [[nodiscard]] static Result<Witnessed> open(audit::Files& files, const Clock& clock,
                                              WitnessedOptions options);

  // Judges a checkpoint of one of this auditd's logs that somebody else brought. One that a witness
  // has cosigned is kept as the log's cosigned checkpoint, together with other witnesses' lines for
  // the same; a line that is dated later than now, beyond kClocksDifferMaxS, is none: it would
  // count as news until then. invalid_argument: no checkpoint of a log of this place;
  // permission_denied: not signed by this auditd, or neither evidence nor cosigned by a configured
  // witness; corrupt, unavailable: not judged.
  [[nodiscard]] Result<Heard> take_note(std::string_view note,
                                        std::span<const audit::Checkpoint> last_signed);
  // Judges the size that a witness says it has cosigned, where nobody has the checkpoint itself.
  // That is a witness's word alone, and taken for true: one that lies can stop this vault, not
  // hide that it was rolled back. invalid_argument: no log of this place; unavailable.
  [[nodiscard]] Result<Testimony> take_size(std::string_view origin, std::uint64_t size,
                                            std::span<const audit::Checkpoint> last_signed);

  // What was seen of a log and this store lacks; nullopt while nothing was.
  [[nodiscard]] const std::optional<audit::Checkpoint>& rolled_back() const noexcept {
    return rolled_back_;
  }
  // True when the journal tells of a break that is not signed for. Whoever can write to the disk
  // can put one there to have settled what a witness saw, so it settles nothing.
  [[nodiscard]] bool doubts_break() const noexcept { return doubts_break_; }
  // A break at this time was recorded and signed for: it settles what was seen before, and doubts.
  // unavailable: the proof may be back at the next start.
  [[nodiscard]] Result<void> settle(std::string broken_at);

  [[nodiscard]] bool has_witnesses() const noexcept { return !witnesses_.empty(); }
  [[nodiscard]] const std::optional<WitnessedHead>& newest() const noexcept { return newest_; }

 private:
  Witnessed(audit::Files& files, const Clock& clock, WitnessedOptions options,
            std::vector<audit::CosignatureVerifier> witnesses);
  bool is_signed_for(const std::string& broken_at);
  [[nodiscard]] bool is_settled(std::string_view origin) const;
  Result<void> recall();
  Result<void> forget();
  Result<bool> has(const std::string& log_name, const audit::Checkpoint& theirs,
                   const audit::Checkpoint& last);
  Result<Testimony> refuse(const audit::Checkpoint& theirs, std::string_view evidence);
  // A witness's cosignature, which was checked.
  struct Line {
    std::int64_t time_s = 0;
    std::string text;
  };
  using Lines = std::vector<Line>;  // one per witness, without text where he has none
  [[nodiscard]] Result<Lines> check_lines(const audit::Note& note) const;
  [[nodiscard]] std::vector<audit::NoteKey> keys_of(const Lines& lines) const;
  Result<void> keep(const std::string& log_name, const audit::Checkpoint& checkpoint,
                    const audit::Note& note, const Lines& lines);
  [[nodiscard]] std::string evidence_path() const;

  audit::Files* files_;
  const Clock* clock_;
  WitnessedOptions options_;
  std::vector<audit::CosignatureVerifier> witnesses_;
  std::string broken_at_;  // of the last break that was signed for
  bool doubts_break_ = false;
  std::optional<audit::Checkpoint> rolled_back_;
  std::optional<WitnessedHead> newest_;
};

}  // namespace strongroom::auditd

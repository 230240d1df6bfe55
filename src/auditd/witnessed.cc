// Judging what witnesses bring.
#include "auditd/witnessed.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "audit/checkpoint_files.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/proof.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using audit::Checkpoint;

namespace {

constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr Error kDamagedTree{ErrorCode::corrupt, "files of the audit trees are damaged"};
constexpr Error kNotCosigned{ErrorCode::permission_denied, "no configured witness has cosigned it"};

// The last part of an origin: the year, and behind a "b" the time of the break that the log began
// with, where it began with one; both sort as text.
struct Shard {
  std::string_view year;
  std::string_view broken_at;
};
Shard shard_of(std::string_view origin) {
  const std::string_view shard = origin.substr(origin.rfind('/') + 1);
  const std::size_t letter = std::min(shard.find('b'), shard.size());
  return {shard.substr(0, letter), shard.substr(std::min(letter + 1, shard.size()))};
}

// The newest checkpoint of that log; the empty tree when it has none.
Checkpoint last_of(std::string_view origin, std::span<const Checkpoint> last_signed) {
  const auto found = std::ranges::find(last_signed, origin, &Checkpoint::origin);
  if (found != last_signed.end()) return *found;
  return {std::string(origin), 0, audit::MerkleTree().root()};
}

// nullopt also for what is no note: what is kept can be fetched again.
std::optional<audit::Note> read_note(audit::Files& files, const std::string& path) {
  const auto text = audit::read_text(files, path, audit::kNoteBytesMax);
  if (!text) return std::nullopt;
  auto note = audit::parse_note(*text);
  if (!note) return std::nullopt;
  return *std::move(note);
}

std::uint64_t size_of(const audit::Note& note) {
  const auto checkpoint = audit::parse_checkpoint_text(note.text);
  return checkpoint ? checkpoint->size : 0;
}

// The last signature line of that key; empty when it has none.
std::string line_of(const audit::NoteKey& key, const audit::Note& note) {
  std::string line;
  for (const audit::NoteSignature& signature : note.signatures) {
    if (signature.name == key.name && signature.key_id == key.id()) {
      line = audit::signature_line(key, signature.signature);
    }
  }
  return line;
}

}  // namespace

std::string_view to_string(Testimony testimony) noexcept {
  switch (testimony) {
    case Testimony::witnessed:
      return "witnessed";
    case Testimony::consistent:
      return "consistent";
    case Testimony::settled:
      return "settled";
    case Testimony::rolled_back:
      break;
  }
  return "rolled_back";
}

Witnessed::Witnessed(audit::Files& files, const Clock& clock, WitnessedOptions options,
                     std::vector<audit::CosignatureVerifier> witnesses)
    : files_(&files),
      clock_(&clock),
      options_(std::move(options)),
      witnesses_(std::move(witnesses)) {}

Result<Witnessed> Witnessed::open(audit::Files& files, const Clock& clock,
                                  WitnessedOptions options) {
  std::vector<audit::CosignatureVerifier> witnesses;
  witnesses.reserve(options.witnesses.size());
  for (const audit::NoteKey& key : options.witnesses) {
    SR_TRY(audit::CosignatureVerifier verifier, audit::CosignatureVerifier::create(key));
    witnesses.push_back(std::move(verifier));
  }
  Witnessed witnessed(files, clock, std::move(options), std::move(witnesses));
  const std::string& broken_at = witnessed.options_.broken_at;
  if (!broken_at.empty()) {
    witnessed.doubts_break_ = !witnessed.is_signed_for(broken_at);
    if (!witnessed.doubts_break_) witnessed.broken_at_ = broken_at;
  }
  SR_CHECK_OK(witnessed.recall());
  return witnessed;
}

// By a checkpoint of the log that the break began, which is as this store has that log. Neither
// the journal nor `last-signed` nor the snapshot is proof: none of them is signed. Nor is what
// cannot be read now; the next start looks again.
bool Witnessed::is_signed_for(const std::string& broken_at) {
  const std::string log_name = audit::log_of_break(broken_at);
  auto tree = audit::LogReader::open(*files_, options_.directory, log_name);
  if (!tree) return false;
  auto notes =
      audit::CheckpointReader::open(*files_, audit::checkpoint_path(options_.directory, log_name));
  const auto own = audit::NoteVerifier::create(
      {.name = audit::log_origin(options_.place, log_name), .public_key = options_.public_key});
  while (notes && own) {
    const auto note = notes->next();
    if (!note || !*note) break;
    const auto checkpoint = audit::open_checkpoint(**note, *own);
    if (!checkpoint || checkpoint->size == 0) continue;
    const auto root = audit::tree_hash(*tree, checkpoint->size);
    if (root && *root == checkpoint->root) return true;
  }
  return false;
}

// A break ends the logs of its year and of those before.
bool Witnessed::is_settled(std::string_view origin) const {
  const Shard theirs = shard_of(origin);
  return theirs.broken_at < broken_at_ &&
         theirs.year <= std::string_view(broken_at_).substr(0, theirs.year.size());
}

// Whatever stands in the file, it stands there because a proof was found.
Result<void> Witnessed::recall() {
  const auto kept = audit::read_text(*files_, evidence_path(), audit::kNoteBytesMax);
  if (!kept && kept.error().code() == ErrorCode::not_found) return {};
  Checkpoint seen;
  if (kept) {
    const std::string_view text(*kept);
    const auto checkpoint = audit::parse_checkpoint_text(text.substr(0, text.find("\n\n") + 1));
    if (checkpoint) seen = *checkpoint;
  }
  // The break was recorded, and the end came before the file was removed.
  if (!seen.origin.empty() && is_settled(seen.origin)) return forget();
  rolled_back_ = seen;
  return {};
}

Result<Heard> Witnessed::take_note(std::string_view text, std::span<const Checkpoint> last_signed) {
  SR_TRY(const audit::Note note, audit::parse_note(text));
  SR_TRY(const Checkpoint theirs, audit::parse_checkpoint_text(note.text));
  SR_TRY(const std::string log_name, audit::name_of_origin(options_.place, theirs.origin));
  SR_TRY(const audit::NoteVerifier own,
         audit::NoteVerifier::create({.name = theirs.origin, .public_key = options_.public_key}));
  SR_CHECK_OK(own.verify(note));
  if (is_settled(theirs.origin)) return Heard{Testimony::settled, {}};
  SR_TRY(const bool ours, has(log_name, theirs, last_of(theirs.origin, last_signed)));
  if (!ours) {
    SR_TRY(const Testimony refused, refuse(theirs, text));
    return Heard{refused, {}};
  }
  SR_TRY(const Lines lines, check_lines(note));
  Heard heard{Testimony::consistent, keys_of(lines)};
  if (!audit::is_operators(log_name)) return heard;
  SR_CHECK_OK(keep(log_name, theirs, note, lines));
  const auto before = options_.sizes_at_start.find(log_name);
  if (before != options_.sizes_at_start.end() && theirs.size <= before->second) return heard;
  std::int64_t time_s = 0;
  for (const Line& line : lines) time_s = std::max(time_s, line.time_s);
  if (!newest_ || newest_->time_s <= time_s) newest_ = {log_name, theirs.size, time_s};
  heard.testimony = Testimony::witnessed;
  return heard;
}

Result<Testimony> Witnessed::take_size(std::string_view origin, std::uint64_t size,
                                       std::span<const Checkpoint> last_signed) {
  SR_CHECK_OK(audit::name_of_origin(options_.place, origin));
  if (is_settled(origin)) return Testimony::settled;
  if (size <= last_of(origin, last_signed).size) return Testimony::consistent;
  // Nobody knows the root; that of the empty tree says so.
  const Checkpoint theirs{std::string(origin), size, audit::MerkleTree().root()};
  return refuse(theirs, audit::checkpoint_text(theirs) + "\n");
}

// True when the log had this tree. corrupt: the files of the trees do not tell, for they contradict
// what was signed for.
Result<bool> Witnessed::has(const std::string& log_name, const Checkpoint& theirs,
                            const Checkpoint& last) {
  if (theirs.size >= last.size) return theirs.head() == last.head();
  SR_TRY(audit::LogReader reader, audit::LogReader::open(*files_, options_.directory, log_name));
  SR_TRY(const audit::Hash root, audit::tree_hash(reader, theirs.size));
  SR_TRY(const auto proof, audit::consistency_proof(reader, theirs.size, last.size));
  const audit::TreeHead ours{theirs.size, root};
  if (!audit::verify_consistency(ours, last.head(), proof)) return fail(kDamagedTree);
  return ours == theirs.head();
}

// Refuses first and writes then: a disk that takes no evidence is no reason to go on.
Result<Testimony> Witnessed::refuse(const Checkpoint& theirs, std::string_view evidence) {
  rolled_back_ = theirs;
  log::error("the audit log was rolled back",
             {{"origin", theirs.origin}, {"size_seen", theirs.size}});
  SR_CHECK_OK(files_->replace(evidence_path(), as_bytes(evidence)));
  return Testimony::rolled_back;
}

// The cosignatures of configured witnesses, of which all are checked.
Result<Witnessed::Lines> Witnessed::check_lines(const audit::Note& note) const {
  const std::int64_t now_s = clock_->now_us() / kMicroseconds;
  Lines lines(witnesses_.size());
  bool taken = false;
  for (std::size_t i = 0; i < witnesses_.size(); ++i) {
    const audit::CosignatureVerifier& witness = witnesses_[i];
    SR_TRY(const auto time_s, witness.newest_s(note));
    if (!time_s) continue;
    if (*time_s > now_s + kClocksDifferMaxS) {
      log::warn("a witness's clock is ahead of this host's: its cosignature is not taken",
                {{"witness", witness.key().name}, {"seconds_ahead", *time_s - now_s}});
      continue;
    }
    lines[i] = {*time_s, line_of(witness.key(), note)};
    taken = true;
  }
  if (!taken) return fail(kNotCosigned);
  return lines;
}

std::vector<audit::NoteKey> Witnessed::keys_of(const Lines& lines) const {
  std::vector<audit::NoteKey> keys;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].text.empty()) keys.push_back(witnesses_[i].key());
  }
  return keys;
}

// Replaces what is kept by something newer; lines of other witnesses for the same checkpoint stay.
Result<void> Witnessed::keep(const std::string& log_name, const Checkpoint& checkpoint,
                             const audit::Note& note, const Lines& lines) {
  const std::string path = audit::cosigned_path(options_.directory, log_name);
  const std::optional<audit::Note> kept = read_note(*files_, path);
  if (kept && size_of(*kept) > checkpoint.size) return {};
  const audit::NoteKey own{.name = checkpoint.origin, .public_key = options_.public_key};
  std::string text = note.text + "\n" + line_of(own, note);
  for (std::size_t i = 0; i < witnesses_.size(); ++i) {
    std::string line = lines[i].text;
    if (line.empty() && kept && kept->text == note.text) {
      line = line_of(witnesses_[i].key(), *kept);
    }
    text += line;
  }
  return files_->replace(path, as_bytes(text));
}

Result<void> Witnessed::settle(std::string broken_at) {
  SR_CHECK_OK(forget());
  broken_at_ = std::move(broken_at);
  doubts_break_ = false;
  return {};
}

Result<void> Witnessed::forget() {
  const auto removed = files_->remove(evidence_path());
  if (!removed && removed.error().code() != ErrorCode::not_found) return removed;
  SR_CHECK_OK(files_->sync_directory(options_.directory));
  rolled_back_.reset();
  newest_.reset();
  return {};
}

std::string Witnessed::evidence_path() const {
  return fmt::format("{}/{}", options_.directory, audit::kRolledBackName);
}

}  // namespace strongroom::auditd

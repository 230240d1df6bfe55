// The folder around the judgment.
#include "witness/witness.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "audit/checkpoint.h"
#include "audit/lines.h"
#include "audit/note.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "witness/known_logs.h"

namespace strongroom::witness {

using audit::WitnessStatus;

namespace {

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kSize = "text/x.tlog.size";
constexpr mode_t kOwnerOnly = 0600;
constexpr int kUnavailable = 503;
constexpr Error kNoRoom{ErrorCode::exhausted,
                        "the witness has cosigned as many of this owner's logs as it will: name "
                        "this one to it by add-log"};
constexpr Error kNotState{ErrorCode::corrupt, "state of the witness is damaged"};

Answer refusal(WitnessStatus status, std::string_view why) {
  return {.status = std::to_underlying(status),
          .content_type = kPlain,
          .body = fmt::format("{}\n", why)};
}

// A folder that was emptied or put in another's place knows of no checkpoint either.
Result<void> expect_state(const std::string& folder) {
  const auto lock = read_file(state_lock_path(folder), 0);
  if (lock || lock.error().code() != ErrorCode::not_found) return {};
  return fail({ErrorCode::corrupt,
               "state of the witness is gone: put it back, or begin anew with another key"});
}

// The log's note with those of its signatures that were checked, and the witness's own.
std::string cosigned_note(const audit::Note& note, const std::vector<audit::NoteVerifier>& keys,
                          std::string_view cosignature) {
  std::string text = note.text + "\n";
  for (const audit::NoteVerifier& key : keys) {
    for (const audit::NoteSignature& signature : note.signatures) {
      if (signature.name == key.key().name && signature.key_id == key.key().id()) {
        text += audit::signature_line(key.key(), signature.signature);
      }
    }
  }
  return text + std::string(cosignature);
}

}  // namespace

Witness::Witness(std::string folder, FileLock lock, crypto::Ed25519Signer signer,
                 audit::CosignatureVerifier verifier, const Clock& clock)
    : folder_(std::move(folder)),
      lock_(std::move(lock)),
      signer_(std::move(signer)),
      verifier_(std::move(verifier)),
      clock_(&clock) {}

Result<Witness> Witness::open(std::string folder, std::string name, crypto::Ed25519Signer signer,
                              const Clock& clock) {
  if (!audit::is_key_name(name)) {
    return fail({ErrorCode::invalid_argument, "a witness cannot have this name"});
  }
  SR_TRY(audit::CosignatureVerifier verifier,
         audit::CosignatureVerifier::create({.name = std::move(name),
                                             .public_key = signer.public_key(),
                                             .type = audit::NoteKeyType::cosignature}));
  SR_CHECK_OK(expect_state(folder));
  SR_TRY(FileLock lock, FileLock::acquire(state_lock_path(folder)));
  Witness witness(std::move(folder), std::move(lock), std::move(signer), std::move(verifier),
                  clock);
  witness.list_shards();
  return witness;
}

// A damaged state must not keep the others from being cosigned.
void Witness::list_shards() {
  for (const std::string& file : state_files(folder_)) {
    if (list_shard(file)) continue;
    log::error("state of a log is damaged: nobody is told which logs there are", {{"file", file}});
    unread_.push_back(file);
  }
}

// False: it cannot be read.
bool Witness::list_shard(const std::string& file) {
  const auto text = checkpoint(file);
  const auto newest = text ? audit::read_checkpoint(*text) : std::unexpected(text.error());
  if (!newest || origin_hash(newest->origin) != file) return false;
  if (!stem_of(newest->origin).empty()) shards_.insert(newest->origin);
  return true;
}

Answer Witness::add_checkpoint(std::string_view body) {
  const auto request = audit::parse_add_checkpoint(body);
  if (!request) return refusal(WitnessStatus::malformed, request.error().what());
  auto answered = answer(*request);
  if (answered) return *std::move(answered);
  log::error("a checkpoint is not judged", {{"error", answered.error()}});
  return {.status = kUnavailable,
          .content_type = kPlain,
          .body = fmt::format("{}\n", answered.error().what())};
}

Result<Answer> Witness::answer(const audit::AddCheckpoint& request) {
  SR_TRY(const audit::WitnessedLog log, read_log(request.checkpoint.origin));
  const WitnessStatus status = audit::judge(request, log.keys.empty() ? nullptr : &log);
  switch (status) {
    case WitnessStatus::cosigned:
      return cosign(request, log);
    case WitnessStatus::malformed:
      return refusal(status, "the old size is above the checkpoint's");
    case WitnessStatus::not_signed:
      return refusal(status, "no known key of this log has signed it");
    case WitnessStatus::unknown_log:
      return refusal(status, "this witness does not know the log");
    case WitnessStatus::not_the_last:
      return Answer{.status = std::to_underlying(status),
                    .content_type = kSize,
                    .body = fmt::format("{}\n", log.last_cosigned.size)};
    case WitnessStatus::inconsistent:
      break;
  }
  return refusal(WitnessStatus::inconsistent,
                 "the checkpoint does not continue the one that was cosigned last");
}

Result<Answer> Witness::cosign(const audit::AddCheckpoint& request,
                               const audit::WitnessedLog& log) {
  constexpr std::int64_t kMicroseconds = 1'000'000;
  const std::string line = audit::cosign(request.note.text, clock_->now_us() / kMicroseconds,
                                         verifier_.key().name, signer_);
  const std::string note = cosigned_note(request.note, log.keys, line);
  if (const auto readable = audit::parse_note(note); !readable) {
    return refusal(WitnessStatus::malformed, "the checkpoint has no room for a cosignature");
  }
  const std::string path =
      fmt::format("{}/state/{}", folder_, origin_hash(request.checkpoint.origin));
  const bool is_shard = !stem_of(request.checkpoint.origin).empty();
  if (is_shard) {
    SR_TRY(const bool has_room, has_room_for(request.checkpoint.origin));
    if (!has_room) return fail(kNoRoom);
  }
  SR_CHECK_OK(write_file_durable(path, as_bytes(note), kOwnerOnly));
  if (is_shard) shards_.insert(request.checkpoint.origin);
  return Answer{
      .status = std::to_underlying(WitnessStatus::cosigned), .content_type = kPlain, .body = line};
}

Result<std::string> Witness::checkpoint(std::string_view hash) const {
  crypto::Sha256Digest digest;
  if (!parse_hex(hash, digest)) return fail({ErrorCode::not_found, "not the hash of an origin"});
  SR_TRY(std::string text,
         read_file(fmt::format("{}/state/{}", folder_, hash), audit::kNoteBytesMax));
  // Somebody else may have put it there.
  const auto note = audit::parse_note(text);
  if (!note) return fail(kNotState);
  const auto time = verifier_.newest_s(*note);
  if (!time || !*time) return fail(kNotState);
  return text;
}

Result<bool> Witness::has_room_for(const std::string& origin) const {
  const std::string_view stem = stem_of(origin);
  if (shards_.contains(origin)) return true;
  if (std::ranges::count(shards_, stem, stem_of) < kShardsMax) return true;
  SR_TRY(const std::vector<audit::NoteKey> keys, known_logs());
  return std::ranges::find(keys, origin, &audit::NoteKey::name) != keys.end();
}

Result<std::vector<audit::NoteKey>> Witness::known_logs() const {
  SR_TRY(const std::string text, read_file(known_logs_path(folder_), kKnownLogsBytesMax));
  return parse_known_logs(text);
}

Result<std::string> Witness::checkpoint_after(std::string_view after) {
  std::erase_if(unread_, [this](const std::string& file) { return list_shard(file); });
  if (!unread_.empty()) return fail(kNotState);
  const std::string_view stem = after.substr(0, after.rfind('/'));
  const auto next = shards_.upper_bound(after);
  if (stem.empty() || next == shards_.end() || stem_of(*next) != stem) {
    return fail({ErrorCode::not_found, "no log of this owner comes behind it"});
  }
  auto newest = checkpoint(origin_hash(*next));
  if (!newest && newest.error().code() == ErrorCode::not_found) return fail(kNotState);
  return newest;
}

Result<audit::WitnessedLog> Witness::read_log(std::string_view origin) const {
  SR_TRY(const std::vector<audit::NoteKey> keys, known_logs());
  audit::WitnessedLog log;
  for (audit::NoteKey& key : keys_of(keys, origin, clock_->now_us())) {
    SR_TRY(audit::NoteVerifier verifier, audit::NoteVerifier::create(std::move(key)));
    log.keys.push_back(std::move(verifier));
  }
  const auto newest = checkpoint(origin_hash(origin));
  if (!newest && newest.error().code() == ErrorCode::not_found) {
    SR_CHECK_OK(expect_state(folder_));
    return log;
  }
  if (!newest) return std::unexpected(newest.error());
  SR_TRY(const audit::Note note, audit::parse_note(*newest));
  SR_TRY(const audit::Checkpoint cosigned, audit::parse_checkpoint_text(note.text));
  if (cosigned.origin != origin) return fail(kNotState);
  log.last_cosigned = cosigned.head();
  return log;
}

std::vector<std::string> state_files(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder + "/state", error)) {
    std::string name = file.path().filename().string();
    crypto::Sha256Digest digest;
    if (parse_hex(name, digest)) names.push_back(std::move(name));
  }
  return names;
}

std::string known_logs_path(const std::string& folder) { return folder + "/etc/logs"; }

std::string state_lock_path(const std::string& folder) { return folder + "/state/lock"; }

std::string origin_hash(std::string_view origin) { return hex(crypto::sha256(as_bytes(origin))); }

}  // namespace strongroom::witness

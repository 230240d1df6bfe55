// LogCheck.
#include "audit/log_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "audit/checkpoint_files.h"
#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kNoteBytesUsual = 1'024;  // read at once; most notes are whole in it
constexpr std::size_t kUnreadAtOnce = 65'536;

// Removes what `text` begins with of `expected`; false when it goes on otherwise.
bool take(std::string_view& text, std::string_view expected) {
  const std::size_t size = std::min(text.size(), expected.size());
  const bool fits = text.starts_with(expected.substr(0, size));
  text.remove_prefix(size);
  return fits;
}

bool take_base64(std::string_view& text, std::size_t bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  const std::string_view digits = text.substr(0, (bytes + 2) / 3 * 4);
  text.remove_prefix(digits.size());
  return digits.find_first_not_of(kAlphabet) == std::string_view::npos;
}

// Whether `text` is a part of what auditd writes as a checkpoint, from its start on: what a crash
// may leave of one.
bool is_cut_checkpoint(std::string_view text, std::string_view origin) {
  constexpr std::size_t kSignatureBytes = 4 + 64;  // key id and signature
  while (text.ends_with('\0')) text.remove_suffix(1);
  if (!take(text, fmt::format("{}\n", origin))) return false;
  text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
  return take(text, "\n") && take_base64(text, sizeof(Hash)) &&
         take(text, fmt::format("\n\n\xE2\x80\x94 {} ", origin)) &&
         take_base64(text, kSignatureBytes) && text.empty();
}

Result<std::string> read_at(File& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  SR_TRY(const std::size_t got,
         file.read(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
  bytes.resize(got);
  return bytes;
}

}  // namespace

LogCheck::LogCheck(Files& files, std::string directory, std::string name, NoteVerifier verifier)
    : files_(&files),
      directory_(std::move(directory)),
      name_(std::move(name)),
      verifier_(std::move(verifier)) {}

Result<LogCheck> LogCheck::open(Files& files, std::string directory, std::string name,
                                NoteKey key) {
  SR_TRY(NoteVerifier verifier, NoteVerifier::create(std::move(key)));
  LogCheck log(files, std::move(directory), std::move(name), std::move(verifier));
  SR_CHECK_OK(log.read_checkpoint());
  return log;
}

std::string LogCheck::checkpoint_file() const { return checkpoint_path({}, name_).substr(1); }

// Bad when the next checkpoint is not signed by the key or not ascending. The file is not held
// open, for there may be tens of thousands of logs.
Result<void> LogCheck::read_checkpoint() {
  next_.reset();
  auto file = files_->open(checkpoint_path(directory_, name_), OpenMode::read);
  if (!file && file.error().code() == ErrorCode::not_found) return {};
  if (!file) return std::unexpected(file.error());
  std::string bytes;
  std::optional<std::size_t> size;
  for (const std::size_t wanted : {kNoteBytesUsual, 2 * kNoteBytesMax}) {
    SR_TRY(bytes, read_at(**file, next_offset_, wanted));
    size = note_size(bytes, bytes.size() == wanted);
    if (size) break;
  }
  BadPlace bad{.file = checkpoint_file(), .offset_bytes = next_offset_, .log = name_};
  if (!size) {
    bad.what = "file of checkpoints ends in something else";
    if (!bytes.empty() && !is_cut_checkpoint(bytes, verifier_.key().name)) bad_ = std::move(bad);
    return {};
  }
  auto checkpoint = open_checkpoint(std::string_view(bytes).substr(0, *size), verifier_);
  if (!checkpoint || checkpoint->size < tree_.size()) {
    bad.what = checkpoint ? "checkpoints are not in order" : checkpoint.error().what();
    bad_ = std::move(bad);
    return {};
  }
  next_ = Pending{*std::move(checkpoint), next_offset_};
  next_offset_ += *size;
  return {};
}

Result<void> LogCheck::expect_checkpoints() {
  auto file = files_->open(checkpoint_path(directory_, name_), OpenMode::read);
  if (!file && file.error().code() == ErrorCode::not_found) return {};
  if (!file) return std::unexpected(file.error());
  SR_TRY(expected_bytes_, (*file)->size());
  return {};
}

Result<std::uint64_t> LogCheck::entries_before(std::uint64_t first_sequence) {
  auto file = files_->open(places_path(directory_, name_), OpenMode::read);
  if (!file && file.error().code() == ErrorCode::not_found) return 0;
  if (!file) return std::unexpected(file.error());
  SR_TRY(const std::uint64_t bytes, (*file)->size());
  std::uint64_t begin = 0, end = bytes / kPlaceBytes;
  while (begin < end) {
    const std::uint64_t middle = begin + (end - begin) / 2;
    SR_TRY(const std::string place, read_at(**file, middle * kPlaceBytes, kPlaceBytes));
    if (place.size() < kPlaceBytes) break;
    const bool before =
        decode_places(as_bytes(place)).front().segment_first_sequence < first_sequence;
    (before ? begin : end) = before ? middle + 1 : middle;
  }
  return begin;
}

Result<void> LogCheck::append_unread(std::uint64_t count) {
  if (count == 0) return {};
  SR_TRY(const bool held, TreeFiles(*files_, directory_).hold(name_, count));
  if (!held) {
    bad_ = place_of(0, {});
    bad_->what = "a tree lacks hashes of entries that are not in the journal";
    bad_->index_end = count;
    return {};
  }
  SR_TRY(const auto leaves, files_->open(level_path(directory_, name_, 0), OpenMode::read));
  SR_TRY(const auto places, files_->open(places_path(directory_, name_), OpenMode::read));
  while (tree_.size() < count && !bad_) {
    const std::uint64_t at = tree_.size();
    std::vector<Hash> hashes(std::min<std::uint64_t>(kUnreadAtOnce, count - at));
    std::vector<std::byte> where(hashes.size() * kPlaceBytes);
    SR_CHECK_OK(leaves->read(at * sizeof(Hash), std::as_writable_bytes(std::span(hashes))));
    SR_CHECK_OK(places->read(at * kPlaceBytes, where));
    const auto frames = decode_places(where);
    for (std::size_t i = 0; i < hashes.size() && !bad_; ++i) {
      SR_CHECK_OK(append(hashes[i], {.frame = frames[i]}));
    }
    SR_CHECK_OK(compare_files());
  }
  return {};
}

Result<void> LogCheck::append(const Hash& leaf, const EntryPlace& place) {
  if (!suspect_) suspect_ = place;
  if (growth_.empty()) growth_.old_size = tree_.size();
  tree_.append(leaf, [this](unsigned level, const Hash& hash) {
    if (growth_.levels.size() <= level) growth_.levels.resize(level + 1);
    growth_.levels[level].push_back(hash);
  });
  growth_.places.push_back(place.frame);
  sequences_.push_back(place.sequence);
  return check_root();
}

Result<void> LogCheck::check_root() {
  const std::uint64_t size = tree_.size();
  while (!bad_ && next_ && next_->checkpoint.size == size) {
    if (next_->checkpoint.root != tree_.root()) return differs();
    ++checkpoints_;
    good_size_ = size;
    suspect_.reset();
    SR_CHECK_OK(read_checkpoint());
  }
  if (bad_) return {};
  if (dispute_ && good_size_ == size) bad_ = dispute_->file;
  if (last_signed_ && last_signed_->size == size) {
    record_differs_ = last_signed_->root != tree_.root();
    if (!record_differs_) last_signed_.reset();
  }
  if (!bad_ && record_differs_ && good_size_ == size) {
    bad_ = BadPlace{.what = "a recorded checkpoint is none that was signed",
                    .file = std::string(kLastSignedName),
                    .log = name_};
  }
  return {};
}

// The root of the tree is not the signed one. The tree's file may tell which entry is another.
Result<void> LogCheck::differs() {
  if (!dispute_) SR_CHECK_OK(compare_files());
  if (bad_) return {};
  if (dispute_) {
    bad_ = dispute_->entry;
    return {};
  }
  bad_ = place_of(good_size_, *suspect_);
  bad_->what = "entries differ from those that were signed for";
  bad_->index_end = tree_.size();
  return {};
}

BadPlace LogCheck::place_of(std::uint64_t index, const EntryPlace& entry) const {
  BadPlace place{
      .sequence = entry.sequence, .log = name_, .index_begin = index, .index_end = index + 1};
  if (entry.sequence == 0) {
    place.file = level_path({}, name_, 0).substr(1);
    place.offset_bytes = index * sizeof(Hash);
  } else {
    place.file = segment_name(entry.frame.segment_first_sequence);
    place.offset_bytes = entry.frame.offset_bytes;
  }
  return place;
}

Result<void> LogCheck::compare_files() {
  if (growth_.empty() || dispute_ || bad_) return {};
  SR_TRY(const auto difference, TreeFiles(*files_, directory_).compare(name_, growth_));
  // What no checkpoint covers may yet have to be written.
  if (difference && difference->absent && difference->last_entry >= good_size_) return {};
  if (difference) judge(*difference);
  growth_ = {};
  sequences_.clear();
  return {};
}

void LogCheck::judge(const TreeDifference& difference) {
  BadPlace file{.what = difference.absent ? "a file of a log's tree ends too early"
                                          : "a file of a log's tree differs from the journal",
                .file = difference.file,
                .offset_bytes = difference.offset_bytes,
                .log = name_,
                .index_begin = difference.first_entry,
                .index_end = difference.last_entry + 1};
  const bool is_leaf = difference.file == level_path({}, name_, 0).substr(1);
  if (difference.absent || !is_leaf || difference.first_entry < good_size_) {
    bad_ = std::move(file);
    return;
  }
  const std::uint64_t at = difference.first_entry - growth_.old_size;
  BadPlace entry =
      place_of(difference.first_entry, {.frame = growth_.places[at], .sequence = sequences_[at]});
  entry.what = "an entry differs from the one that was signed for";
  file.sequence = entry.sequence;
  dispute_ = Dispute{std::move(file), std::move(entry)};
}

Result<void> LogCheck::finish(std::int64_t signed_before_ms) {
  if (!bad_) SR_CHECK_OK(compare_files());
  if (!bad_) check_ends();
  if (!bad_ && suspect_ && suspect_->time_ms < signed_before_ms) {
    bad_ = place_of(good_size_, *suspect_);
    bad_->what = "entries of more than five minutes ago are not signed for";
    bad_->index_end = tree_.size();
  }
  if (!bad_ && dispute_) bad_ = std::move(dispute_->file);
  return {};
}

// What was signed for and never came is gone.
void LogCheck::check_ends() {
  if (record_differs_) {
    bad_ = place_of(good_size_, suspect_.value_or(EntryPlace{}));
    bad_->what = "entries differ from those that were signed for";
    bad_->index_end = last_signed_->size;
    return;
  }
  if (next_ && next_->offset_bytes >= expected_bytes_) next_.reset();  // of what came meanwhile
  if (!next_ && !last_signed_) return;
  bad_ = BadPlace{.what = "journal is older than its last signed checkpoint",
                  .file = next_ ? checkpoint_file() : std::string(kLastSignedName),
                  .offset_bytes = next_ ? next_->offset_bytes : 0,
                  .log = name_,
                  .index_begin = tree_.size(),
                  .index_end = next_ ? next_->checkpoint.size : last_signed_->size};
}

}  // namespace strongroom::audit

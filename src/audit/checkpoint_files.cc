// Reading the checkpoint files.
#include "audit/checkpoint_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{256} << 10;
constexpr std::size_t kLastSignedBytesMax = std::size_t{256} << 20;
constexpr std::string_view kSuffix = ".log";
constexpr std::string_view kSignatureStart = "\xE2\x80\x94 ";
constexpr Error kDamaged{ErrorCode::corrupt, "record of the last signed checkpoints is damaged"};

Result<Checkpoint> parse_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return fail(kDamaged);
  // The same three values as in a checkpoint: one reader for both.
  auto checkpoint = parse_checkpoint_text(fmt::format("{}\n{}\n{}\n", line.substr(0, first),
                                                      line.substr(first + 1, second - first - 1),
                                                      line.substr(second + 1)));
  if (!checkpoint) return fail(kDamaged);
  return checkpoint;
}

constexpr Error kNoNote{ErrorCode::corrupt, "file of checkpoints holds something else"};

Result<std::string> read_part(File& file, std::uint64_t begin, std::uint64_t end) {
  std::string part(end - begin, '\0');
  SR_TRY(const std::size_t got, file.read(begin, std::as_writable_bytes(std::span(part))));
  part.resize(got);
  return part;
}

// A note in a file of checkpoints.
struct PlacedNote {
  std::uint64_t begin_bytes = 0;
  std::uint64_t tree_size = 0;
};
// The first note of the log that begins behind `begin` and before `end`; nullopt: none does, or it
// is being written.
Result<std::optional<PlacedNote>> first_note(File& file, std::string_view origin,
                                             std::uint64_t begin, std::uint64_t end) {
  SR_TRY(const std::string part, read_part(file, begin, begin + 2 * kNoteBytesMax));
  const std::size_t line_end = part.find(fmt::format("\n{}\n", origin));
  if (line_end == std::string::npos) {
    return part.size() < kNoteBytesMax ? Result<std::optional<PlacedNote>>() : fail(kNoNote);
  }
  const std::uint64_t place = begin + line_end + 1;
  const std::string_view rest = std::string_view(part).substr(line_end + 1);
  const auto size = note_size(rest, false);
  if (place >= end || !size) return std::nullopt;
  const auto told = read_checkpoint(rest.substr(0, *size));
  if (!told) return fail(kNoNote);
  return PlacedNote{place, told->size};
}

}  // namespace

std::string last_signed_text(std::span<const Checkpoint> checkpoints) {
  std::string text;
  for (const Checkpoint& checkpoint : checkpoints) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", checkpoint.origin, checkpoint.size,
                   base64(checkpoint.root));
  }
  return text;
}

Result<std::vector<Checkpoint>> parse_last_signed(std::string_view text) {
  std::vector<Checkpoint> checkpoints;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return fail(kDamaged);
    SR_TRY(Checkpoint checkpoint, parse_line(text.substr(0, end)));
    if (!checkpoints.empty() && checkpoints.back().origin >= checkpoint.origin) {
      return fail(kDamaged);
    }
    checkpoints.push_back(std::move(checkpoint));
    text.remove_prefix(end + 1);
  }
  return checkpoints;
}

Result<std::vector<Checkpoint>> read_last_signed(Files& files, const std::string& directory) {
  const auto text =
      read_text(files, fmt::format("{}/{}", directory, kLastSignedName), kLastSignedBytesMax);
  if (text) return parse_last_signed(*text);
  if (text.error().code() != ErrorCode::not_found) return std::unexpected(text.error());
  SR_TRY(const auto logs, list_checkpoint_logs(files, directory));
  SR_TRY(const auto segments, list_segments(files, directory));
  if (logs.empty() && segments.empty()) return std::vector<Checkpoint>{};
  return fail({ErrorCode::corrupt, "record of the last signed checkpoints is gone"});
}

std::string checkpoint_path(const std::string& directory, std::string_view log_name) {
  return fmt::format("{}/{}/{}{}", directory, kCheckpointFolder, log_name, kSuffix);
}

Result<std::vector<std::string>> list_checkpoint_logs(Files& files, const std::string& directory) {
  SR_TRY(std::vector<std::string> names,
         files.list(fmt::format("{}/{}", directory, kCheckpointFolder)));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(kSuffix); });
  for (std::string& name : names) name.resize(name.size() - kSuffix.size());
  return names;
}

std::optional<std::size_t> note_size(std::string_view bytes, bool more_may_come) {
  const std::size_t split = bytes.find(fmt::format("\n\n{}", kSignatureStart));
  if (split == std::string_view::npos) return std::nullopt;
  std::size_t end = split + 2;
  while (bytes.substr(end).starts_with(kSignatureStart)) {
    const std::size_t newline = bytes.find('\n', end);
    if (newline == std::string_view::npos) return std::nullopt;
    end = newline + 1;
  }
  const bool could_go_on = bytes.size() - end < kSignatureStart.size();
  if (more_may_come && could_go_on) return std::nullopt;
  return end;
}

std::string cosigned_path(const std::string& directory, std::string_view log_name) {
  return fmt::format("{}/{}/{}.cosigned", directory, kCheckpointFolder, log_name);
}

Result<LastNote> last_note(File& file) {
  SR_TRY(const std::uint64_t size, file.size());
  const std::uint64_t start = size - std::min<std::uint64_t>(size, 2 * kNoteBytesMax);
  std::string tail(size - start, '\0');
  SR_TRY(const std::size_t got, file.read(start, std::as_writable_bytes(std::span(tail))));
  tail.resize(got);
  LastNote last;
  for (std::size_t at = 0; at < tail.size();) {
    const auto whole = note_size(std::string_view(tail).substr(at), false);
    if (!whole) break;
    last.text = tail.substr(at, *whole);
    at += *whole;
    last.end_bytes = start + at;
  }
  if (last.end_bytes > 0 || start == 0) return last;
  return fail({ErrorCode::corrupt, "file of checkpoints ends in something else"});
}

Result<std::optional<std::string>> find_note(File& file, const Checkpoint& checkpoint) {
  // The note begins at `begin` or behind, and before `end`.
  std::uint64_t begin = 0;
  SR_TRY(std::uint64_t end, file.size());
  while (end - begin > kNoteBytesMax) {
    const std::uint64_t middle = begin + (end - begin) / 2;
    SR_TRY(const auto found, first_note(file, checkpoint.origin, middle, end));
    if (found && found->tree_size <= checkpoint.size) {
      begin = found->begin_bytes;
    } else {
      end = middle + 1;
    }
  }
  SR_TRY(const std::string part, read_part(file, begin, end + kNoteBytesMax));
  const std::string text = checkpoint_text(checkpoint);
  for (std::string_view rest = part; !rest.empty();) {
    const auto size = note_size(rest, false);
    if (!size) return std::nullopt;
    if (rest.starts_with(text)) return std::string(rest.substr(0, *size));
    rest.remove_prefix(*size);
  }
  return std::nullopt;
}

Result<CheckpointReader> CheckpointReader::open(Files& files, const std::string& path,
                                                std::uint64_t begin_bytes) {
  SR_TRY(auto file, files.open(path, OpenMode::read));
  return CheckpointReader(std::move(file), begin_bytes);
}

Result<std::optional<std::string_view>> CheckpointReader::next() {
  window_.erase(0, size_);
  offset_ += std::exchange(size_, 0);
  while (true) {
    if (const auto size = note_size(window_, !at_file_end_)) {
      size_ = *size;
      return std::string_view(window_).substr(0, size_);
    }
    if (at_file_end_ || window_.size() > kWindowBytes) return std::nullopt;
    SR_CHECK_OK(fill());
  }
}

Result<void> CheckpointReader::fill() {
  const std::size_t kept = window_.size();
  window_.resize(kept + kWindowBytes);
  const auto room = std::as_writable_bytes(std::span(window_).subspan(kept));
  SR_TRY(const std::size_t got, file_->read(offset_ + kept, room));
  window_.resize(kept + got);
  at_file_end_ = got < kWindowBytes;
  return {};
}

}  // namespace strongroom::audit

// HashedFrames.
#include "audit/hashed_frames.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
constexpr std::size_t kBatchesAhead = 4;
// A bad frame may be one that a running auditd is about to complete, or has completed and gone on
// from while it was read. What stays bad is.
constexpr int kRetries = 3;
constexpr std::chrono::milliseconds kRetryPause{10};

}  // namespace

HashedFrames::HashedFrames(JournalReader reader, std::uint64_t first_sequence)
    : reader_(std::move(reader)), first_sequence_(first_sequence) {}

Result<std::unique_ptr<HashedFrames>> HashedFrames::open(Files& files,
                                                         const std::string& directory) {
  SR_TRY(JournalReader reader, JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_oldest());
  const std::uint64_t first = reader.place().sequence;
  std::unique_ptr<HashedFrames> frames(new HashedFrames(std::move(reader), first));
  HashedFrames* const self = frames.get();
  frames->thread_ = std::jthread([self](const std::stop_token& stop) { self->read(stop); });
  return frames;
}

Result<FrameBatch> HashedFrames::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty(); });
  Result<FrameBatch> batch = std::move(ready_.front());
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return batch;
}

void HashedFrames::read(const std::stop_token& stop) {
  for (bool more = true; more;) {
    Result<FrameBatch> batch = fill();
    more = batch && !batch->at_end;
    std::unique_lock lock(mutex_);
    const bool room = changed_.wait(lock, stop, [this] { return ready_.size() < kBatchesAhead; });
    if (!room) return;
    ready_.push_back(std::move(batch));
    lock.unlock();
    changed_.notify_all();
  }
}

Result<FrameBatch> HashedFrames::fill() {
  FrameBatch batch;
  batch.bytes.reserve(kBatchBytes + kFrameBytesMax);  // so that no entry moves
  while (batch.bytes.size() < kBatchBytes) {
    const auto frame = next_frame();
    if (!frame && frame.error().code() != ErrorCode::corrupt) {
      return std::unexpected(frame.error());
    }
    if (!frame) {
      batch.damaged = reader_.place();
      batch.torn = reader_.torn();
    }
    batch.at_end = !frame || !*frame;
    if (batch.at_end) break;
    const std::size_t begin = batch.bytes.size();
    append_bytes(batch.bytes, (*frame)->entry);
    batch.frames.push_back({.sequence = (*frame)->sequence,
                            .place = reader_.frame_place(),
                            .entry = as_text(std::span(batch.bytes).subspan(begin)),
                            .leaf = leaf_hash_of_input((*frame)->leaf_input)});
  }
  batch.bytes_read = reader_.bytes_read();
  batch.bytes_total = reader_.bytes_total();
  batch.segments = reader_.segments_opened();
  return batch;
}

Result<std::optional<FrameView>> HashedFrames::next_frame() {
  for (int attempt = 0;; ++attempt) {
    auto frame = reader_.next();
    if (frame || frame.error().code() != ErrorCode::corrupt || attempt == kRetries) return frame;
    std::this_thread::sleep_for(kRetryPause);
  }
}

}  // namespace strongroom::audit

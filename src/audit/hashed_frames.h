// HashedFrames reads a journal on a thread of its own, ahead of who takes its frames: what only
// looks at bytes (CRC, leaf hash) is done there, while the taker works on the frames before.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "audit/files.h"
#include "audit/journal_reader.h"
#include "audit/merkle.h"
#include "base/result.h"

namespace strongroom::audit {

struct HashedFrame {
  std::uint64_t sequence = 0;
  FramePlace place;
  std::string_view entry;
  Hash leaf{};
};

// Frames that follow each other, and where reading stands behind them.
struct FrameBatch {
  std::vector<std::byte> bytes;  // what the frames' entries point into
  std::vector<HashedFrame> frames;
  // The next frame cannot be read: its place, and JournalReader's torn().
  std::optional<JournalPlace> damaged;
  bool torn = false;
  bool at_end = false;  // no batch follows
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t segments = 0;
};

class HashedFrames {
 public:
  // Begins to read at the oldest segment there is. `files` outlives it, and is used by both
  // threads. corrupt: a segment's name has no sequence; unavailable.
  [[nodiscard]] static Result<std::unique_ptr<HashedFrames>> open(Files& files,
                                                                  const std::string& directory);

  // The sequence that the oldest segment begins with; 1 unless the ones before it are gone.
  [[nodiscard]] std::uint64_t first_sequence() const noexcept { return first_sequence_; }
  // The next frames. REQUIRES: neither at_end nor an error before. unavailable.
  [[nodiscard]] Result<FrameBatch> next();

 private:
  HashedFrames(JournalReader reader, std::uint64_t first_sequence);
  void read(const std::stop_token& stop);
  Result<FrameBatch> fill();
  Result<std::optional<FrameView>> next_frame();

  JournalReader reader_;
  std::uint64_t first_sequence_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Result<FrameBatch>> ready_;
  std::jthread thread_;  // the last member: it ends before the others go
};

}  // namespace strongroom::audit

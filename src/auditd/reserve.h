// Reserve: room on the journal's disk that nobody else can take, because a file of its size holds
// it. When the disk is full, the file gives its room back step by step, so that the writers of the
// CDE can go on while an operator makes room.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace strongroom::auditd {

inline constexpr std::uint64_t kReserveBytes = std::uint64_t{64} << 20;
// So much must be free beside a whole reserve before it is taken: more than the journal zeroes
// ahead, so that the room that is found is not used up by finding it.
inline constexpr std::uint64_t kReserveMarginBytes = std::uint64_t{16} << 20;

// Whom the room that is left is for: the last eighth of the reserve for auditd's own entries, that
// it stopped, recovered, was opened anew.
enum class Room : std::uint8_t { everyone, reserve_writers, auditd };

// One thread.
class Reserve {
 public:
  // Takes `size_bytes` of the disk of `directory`, unless an earlier run has left a part of that:
  // then the disk is still full for everyone else. A disk that has no room for it has no reserve.
  // 0: none is wanted, and that of an earlier run is removed. unavailable.
  [[nodiscard]] static Result<Reserve> open(std::string directory, std::uint64_t size_bytes);

  [[nodiscard]] Room room() const noexcept;
  [[nodiscard]] bool whole() const noexcept { return left_bytes_ == size_bytes_; }
  [[nodiscard]] std::uint64_t left_bytes() const noexcept { return left_bytes_; }
  // The disk is full: gives an eighth back to it. exhausted: nothing is left; unavailable.
  [[nodiscard]] Result<void> release();
  // Takes the whole reserve again. exhausted: the disk has no room for it and the margin;
  // unavailable.
  [[nodiscard]] Result<void> fill();

 private:
  Reserve(std::string directory, std::uint64_t size_bytes);

  std::string directory_;
  std::string path_;
  std::uint64_t size_bytes_;
  std::uint64_t left_bytes_ = 0;
  bool released_ = false;  // a part was given back, and has not been taken again
};

// Whether `error_number` (an errno) says that a disk, or this user's part of it, has no room.
[[nodiscard]] bool disk_is_full(std::uint32_t error_number) noexcept;
// Bytes that this user may still write to the disk of `directory`. unavailable.
[[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& directory);

}  // namespace strongroom::auditd

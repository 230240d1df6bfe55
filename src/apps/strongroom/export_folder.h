// A folder of exported logs, as audit export writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/signed_checkpoint.h"
#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/log_reader.h"
#include "audit/static_tree.h"
#include "audit/tile.h"
#include "base/result.h"

namespace strongroom::tool {

// A log as it stands in the folder now.
struct ExportedLog {
  std::string path{};  // <owner>/<shard>
  SignedCheckpoint last{};
  audit::StaticGaps gaps{};
};

// Writes logs of `directory` into the folder `out`. From the first change until finish(), and after
// an interruption, a file in it says that it is unfinished.
class ExportFolder {
 public:
  // `only`: the log that is asked for, or empty for all. `files` and `witnesses` must outlive it.
  ExportFolder(audit::Files& files, std::string directory, LogKey key, const Witnesses& witnesses,
               std::filesystem::path out, const std::string& only);

  // not_found: nobody has signed for the log yet. conflict: the folder holds another history.
  Result<ExportedLog> write(const std::string& log);
  // All that was asked for is written.
  Result<void> finish();

 private:
  // What an earlier export has of the log.
  struct Earlier {
    std::uint64_t size = 0;
    audit::StaticGaps gaps;
  };

  std::string origin(std::string_view log) const;
  Result<std::string> unfinished();
  Result<void> begin();
  Result<Earlier> check_earlier(const std::filesystem::path& folder, audit::LogReader& reader,
                                const audit::NoteVerifier& verifier);
  Result<SignedCheckpoint> last_checkpoint(audit::LogReader& reader,
                                           const audit::NoteVerifier& verifier,
                                           std::uint64_t earlier_size);
  void say_what_is_missing(const std::string& log, const SignedCheckpoint& last,
                           std::uint64_t newest_size) const;
  Result<void> write_tiles(const std::filesystem::path& folder, audit::LogReader& reader,
                           const Earlier& earlier, ExportedLog& exported);
  Result<void> write_at_hand(const std::filesystem::path& folder, audit::LogReader& reader,
                             const audit::TileId& tile, const Earlier& earlier,
                             audit::StaticGaps& gaps);
  Result<std::vector<std::optional<std::vector<std::byte>>>> kept_entries(
      const std::filesystem::path& folder, audit::LogReader& reader, const audit::TileId& tile,
      const Earlier& earlier);
  Result<void> write_unless_there(const std::filesystem::path& path,
                                  std::span<const std::byte> bytes);

  audit::Files& files_;
  std::string directory_;
  LogKey key_;
  const Witnesses& witnesses_;
  std::filesystem::path out_;
  std::string what_;  // the line of the command in the file
};

}  // namespace strongroom::tool

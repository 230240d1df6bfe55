// A part's files by their places in it.
#include "backup/part_files.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace strongroom::backup {
namespace {

constexpr Error kReadOnly{ErrorCode::unavailable, "a backup is only read"};

class PlacedFile final : public audit::File {
 public:
  PlacedFile(PartReader& reader, std::uint64_t offset, std::uint64_t size_bytes)
      : reader_(reader), offset_(offset), size_bytes_(size_bytes) {}

  Result<std::uint64_t> size() override { return size_bytes_; }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset >= size_bytes_) return std::size_t{0};
    const std::size_t most = std::min<std::uint64_t>(out.size(), size_bytes_ - offset);
    return reader_.read(offset_ + offset, out.first(most));
  }
  Result<void> write(std::uint64_t, std::span<const std::byte>) override { return fail(kReadOnly); }
  Result<void> sync() override { return fail(kReadOnly); }
  Result<void> truncate(std::uint64_t) override { return fail(kReadOnly); }

 private:
  PartReader& reader_;
  std::uint64_t offset_;
  std::uint64_t size_bytes_;
};

}  // namespace

PartFiles::PartFiles(PartReader reader, const Part& part) : reader_(std::move(reader)) {
  std::uint64_t offset = 0;
  for (const BackedFile& file : part.files) {
    places_.emplace(file.path, Place{offset, file.size_bytes});
    offset += file.size_bytes;
  }
}

Result<std::unique_ptr<audit::File>> PartFiles::open(const std::string& path,
                                                     audit::OpenMode mode) {
  if (mode != audit::OpenMode::read) return fail(kReadOnly);
  const auto found = places_.find(path);
  if (found == places_.end()) return fail({ErrorCode::not_found, "backup has no such file"});
  return std::make_unique<PlacedFile>(reader_, found->second.offset, found->second.size_bytes);
}

Result<std::vector<std::string>> PartFiles::list(const std::string& directory) {
  const std::string prefix = directory + "/";
  std::vector<std::string> names;
  for (auto one = places_.lower_bound(prefix);
       one != places_.end() && one->first.starts_with(prefix); ++one) {
    std::string name = one->first.substr(prefix.size());
    if (!name.contains('/')) names.push_back(std::move(name));
  }
  return names;
}

Result<std::vector<std::string>> PartFiles::list_folders(const std::string& directory) {
  const std::string prefix = directory + "/";
  std::vector<std::string> names;
  for (auto one = places_.lower_bound(prefix);
       one != places_.end() && one->first.starts_with(prefix); ++one) {
    const std::string_view rest = std::string_view(one->first).substr(prefix.size());
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) continue;
    if (names.empty() || names.back() != rest.substr(0, slash)) {
      names.emplace_back(rest.substr(0, slash));
    }
  }
  std::ranges::sort(names);
  return names;
}

Result<void> PartFiles::make_folder(const std::string&) { return fail(kReadOnly); }
Result<void> PartFiles::replace(const std::string&, std::span<const std::byte>) {
  return fail(kReadOnly);
}
Result<void> PartFiles::remove(const std::string&) { return fail(kReadOnly); }
Result<void> PartFiles::sync_all(const std::string&) { return fail(kReadOnly); }
Result<void> PartFiles::sync_directory(const std::string&) { return fail(kReadOnly); }

}  // namespace strongroom::backup

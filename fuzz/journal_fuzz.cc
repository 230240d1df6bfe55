// Whatever bytes stand in a segment: reading ends, names a place within the file, and a journal
// that goes on behind a torn end reads as before with the new entry behind.
//
// The first byte of an input chooses: even, the rest is the segment; odd, the rest is a row of
// entries (a length byte each) that are framed right, then the byte that the input's last two name
// is changed.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>

#include "audit/journal.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

using Content = std::vector<std::byte>;

class MemoryFile final : public File {
 public:
  explicit MemoryFile(std::shared_ptr<Content> content) : kept_(std::move(content)) {}
  Result<std::uint64_t> size() override { return content_.size(); }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    const std::size_t begin = std::min<std::size_t>(offset, content_.size());
    const std::size_t count = std::min(out.size(), content_.size() - begin);
    std::ranges::copy(std::span(content_).subspan(begin, count), out.begin());
    return count;
  }
  Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    content_.resize(std::max<std::size_t>(content_.size(), offset + bytes.size()));
    std::ranges::copy(bytes, content_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Result<void> sync() override { return {}; }
  Result<void> truncate(std::uint64_t size) override {
    content_.resize(size);
    return {};
  }

 private:
  std::shared_ptr<Content> kept_;  // a file that is open outlives its name
  Content& content_ = *kept_;
};

class MemoryFiles final : public Files {
 public:
  std::map<std::string, std::shared_ptr<Content>> contents;  // by name; there is one folder

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const std::string name = name_of(path);
    const bool exists = contents.contains(name);
    if (mode == OpenMode::create && exists) return fail({ErrorCode::conflict, "exists"});
    if (mode != OpenMode::create && !exists) return fail({ErrorCode::not_found, "absent"});
    if (!exists) contents[name] = std::make_shared<Content>();
    return std::make_unique<MemoryFile>(contents[name]);
  }
  Result<std::vector<std::string>> list(const std::string&) override {
    std::vector<std::string> names;
    for (const auto& [name, content] : contents) names.push_back(name);
    return names;
  }
  Result<std::vector<std::string>> list_folders(const std::string&) override {
    return std::vector<std::string>{};
  }
  Result<void> make_folder(const std::string&) override { return {}; }
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) override {
    contents[name_of(path)] = std::make_shared<Content>(bytes.begin(), bytes.end());
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (contents.erase(name_of(path)) == 0) return fail({ErrorCode::not_found, "absent"});
    return {};
  }
  Result<void> sync_all(const std::string&) override { return {}; }
  Result<void> sync_directory(const std::string&) override { return {}; }

 private:
  static std::string name_of(const std::string& path) { return path.substr(path.find('/') + 1); }
};

Content framed(std::span<const std::byte> input) {
  const auto header = segment_header(1);
  Content content(header.begin(), header.end());
  std::uint64_t sequence = 0;
  std::size_t change = 0;
  if (input.size() >= 2) {
    change = std::to_integer<std::size_t>(input[0]) << 8 | std::to_integer<std::size_t>(input[1]);
    input = input.subspan(2);
  }
  while (!input.empty()) {
    const std::size_t size =
        std::min(std::to_integer<std::size_t>(input[0]) % 64, input.size() - 1);
    if (size > 0) append_frame(content, ++sequence, size % 2 == 0, input.subspan(1, size));
    input = input.subspan(1 + size);
  }
  content[change % content.size()] ^= std::byte{0x40};
  return content;
}

// Entries up to the end or the first bad place; the reader is left there.
std::vector<Content> entries_of(JournalReader& reader, const Content& segment) {
  std::vector<Content> entries;
  while (true) {
    const auto frame = reader.next();
    SR_CHECK(frame || frame.error().code() == ErrorCode::corrupt);
    SR_CHECK(reader.place().offset_bytes <= segment.size());
    if (!frame || !*frame) return entries;
    Content written;
    append_frame(written, (*frame)->sequence, (*frame)->group_start, (*frame)->entry);
    SR_CHECK(written.size() == (*frame)->size_bytes);
    entries.emplace_back((*frame)->entry.begin(), (*frame)->entry.end());
    SR_CHECK((*frame)->sequence == entries.size());
  }
}

void check(std::span<const std::byte> input) {
  if (input.empty()) return;
  MemoryFiles files;
  const bool raw = (input[0] & std::byte{1}) == std::byte{0};
  const auto begun = std::make_shared<Content>(raw ? Content(input.begin() + 1, input.end())
                                                   : framed(input.subspan(1)));
  files.contents[segment_name(1)] = begun;
  auto reader = JournalReader::open(files, "d");
  SR_CHECK(reader.has_value());
  std::vector<Content> entries = entries_of(*reader, *begun);
  const auto again = reader->next();
  if (!again && !reader->torn()) return;
  auto journal = Journal::resume(files, {.directory = "d", .zero_ahead_bytes = 100}, *reader);
  SR_CHECK(journal.has_value());
  (*journal)->stage("new");
  SR_CHECK((*journal)->commit().has_value());
  auto second = JournalReader::open(files, "d");
  entries.emplace_back(as_bytes("new").begin(), as_bytes("new").end());
  SR_CHECK(entries_of(*second, *files.contents[segment_name(1)]) == entries);
}

}  // namespace
}  // namespace strongroom::audit

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::audit::check(std::as_bytes(std::span(data, size)));
  return 0;
}

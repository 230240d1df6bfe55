#include "connected/relay/export_sink.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

constexpr mode_t kMode = 0640;

Error file_error() {
  return Error(ErrorCode::unavailable, "the export's file takes nothing")
      .with_detail(static_cast<std::uint32_t>(errno));
}

std::string framed(const std::vector<std::string>& records, Framing framing) {
  std::string text;
  for (const std::string& record : records) {
    if (framing == Framing::octets) {
      text += fmt::format("{} {}", record.size(), record);
    } else {
      text.append(record).append("\n");
    }
  }
  return text;
}

// path.N away, path.N-1 to path.N, ..., path to path.1.
Result<void> rotate(const FileSinkOptions& options) {
  const auto old_path = [&](unsigned n) {
    return n == 0 ? options.path : fmt::format("{}.{}", options.path, n);
  };
  if (options.old_files_max == 0) {
    return ::unlink(options.path.c_str()) == 0 ? Result<void>{} : fail(file_error());
  }
  for (unsigned n = options.old_files_max; n > 0; --n) {
    if (::rename(old_path(n - 1).c_str(), old_path(n).c_str()) != 0 && errno != ENOENT) {
      return fail(file_error());
    }
  }
  return {};
}

bool ends_within_a_line(int fd) {
  char last = '\n';
  const off_t end = ::lseek(fd, 0, SEEK_END);
  return end > 0 && ::pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

Result<void> write_synced(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(file_error());
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(fd) != 0) return fail(file_error());
  return {};
}

}  // namespace

async::Task<Result<void>> TlsSink::deliver(std::vector<std::string> records) {
  if (!stream_) {
    http::ByteStreamOptions options = options_;
    SR_CO_TRY(stream_, co_await http::ByteStream::open(loop_, std::move(options)));
  }
  const std::string text = framed(records, framing_);
  const Result<void> written = co_await stream_->write(as_bytes(text));
  if (!written) stream_.reset();
  co_return written;
}

bool TlsSink::is_alive() {
  if (stream_ && !stream_->is_alive()) stream_.reset();
  return stream_ != nullptr;
}

void TlsSink::finish() {
  if (stream_) stream_->finish();
}

async::Task<Result<void>> FileSink::deliver(std::vector<std::string> records) {
  auto work = [this, text = framed(records, Framing::lines)] {
    return append_rotating(options_, text);
  };
  co_return co_await pool_.run(loop_, std::move(work));
}

Result<void> append_rotating(const FileSinkOptions& options, const std::string& text) {
  struct stat file{};
  if (::stat(options.path.c_str(), &file) == 0 && file.st_size > 0 &&
      static_cast<std::uint64_t>(file.st_size) + text.size() > options.bytes_max) {
    SR_CHECK_OK(rotate(options));
  }
  const int fd = ::open(options.path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (fd < 0) return fail(file_error());
  // What a crash has left of a record shall not begin the next one.
  const Result<void> written = write_synced(fd, ends_within_a_line(fd) ? "\n" + text : text);
  ::close(fd);
  return written;
}

}  // namespace strongroom::connected::relay

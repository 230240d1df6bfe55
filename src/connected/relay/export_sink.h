// ExportSink: where records go. A sink that is dead or slow holds up its exporter alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "http/byte_stream.h"

namespace strongroom::connected::relay {

class ExportSink {
 public:
  virtual ~ExportSink() = default;
  // Hands the records on, in their order. After an error any part of them may have arrived, and so
  // may not what was handed on before within doubt().
  [[nodiscard]] virtual async::Task<Result<void>> deliver(std::vector<std::string> records) = 0;
  // False when what was delivered within doubt() may be lost.
  [[nodiscard]] virtual bool is_alive() = 0;
  // How long after deliver() a loss would still become known. Zero: it is durable.
  [[nodiscard]] virtual std::chrono::milliseconds doubt() const noexcept = 0;
  // Ends in order.
  virtual void finish() = 0;
};

// How a record ends on a stream.
enum class Framing : std::uint8_t {
  octets,  // "LENGTH RECORD" (RFC 5425 section 4.3, RFC 6587 section 3.4.1): syslog
  lines,   // RECORD "\n"
};

// Over TLS, which no one acknowledges: a lost connection takes what the peer had not read. Belongs
// to one Loop.
class TlsSink final : public ExportSink {
 public:
  TlsSink(async::Loop& loop, http::ByteStreamOptions options, Framing framing)
      : loop_(loop), options_(std::move(options)), framing_(framing) {}
  [[nodiscard]] async::Task<Result<void>> deliver(std::vector<std::string> records) override;
  [[nodiscard]] bool is_alive() override;
  [[nodiscard]] std::chrono::milliseconds doubt() const noexcept override { return kDoubt; }
  void finish() override;

  static constexpr std::chrono::milliseconds kDoubt{5'000};

 private:
  async::Loop& loop_;
  http::ByteStreamOptions options_;
  Framing framing_;
  std::unique_ptr<http::ByteStream> stream_;
};

struct FileSinkOptions {
  std::string path;
  std::uint64_t bytes_max = std::uint64_t{64} << 20;  // then it becomes path.1, that path.2, ...
  unsigned old_files_max = 8;                         // the last one is removed
};

// A file of lines, durable on return. Belongs to one Loop.
class FileSink final : public ExportSink {
 public:
  FileSink(async::Loop& loop, async::BlockingPool& pool, FileSinkOptions options)
      : loop_(loop), pool_(pool), options_(std::move(options)) {}
  [[nodiscard]] async::Task<Result<void>> deliver(std::vector<std::string> records) override;
  [[nodiscard]] bool is_alive() override { return true; }
  [[nodiscard]] std::chrono::milliseconds doubt() const noexcept override { return {}; }
  void finish() override {}

 private:
  async::Loop& loop_;
  async::BlockingPool& pool_;
  FileSinkOptions options_;
};

// Appends `text` to the file, which is rotated first when it would become too large; durable on
// return. unavailable (detail: errno).
[[nodiscard]] Result<void> append_rotating(const FileSinkOptions& options, const std::string& text);

}  // namespace strongroom::connected::relay

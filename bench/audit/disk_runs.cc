// What the disk gives: a plain loop, and the journal alone.
#include <fcntl.h>
#include <unistd.h>

#include "audit/journal.h"
#include "audit/runs.h"
#include "audit/sample.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::bench {
namespace {

using std::chrono::steady_clock;

template <class Commit>
Figures groups(std::size_t group, std::chrono::duration<double> length, Commit commit) {
  LatencyHistogram latency;
  const auto start = steady_clock::now();
  auto now = start;
  while (now - start < length) {
    const auto before = now;
    commit();
    now = steady_clock::now();
    latency.record(now - before);
  }
  const double seconds = std::chrono::duration<double>(now - start).count();
  Figures figures{{"entries_per_second", static_cast<double>(latency.count() * group) / seconds}};
  add_latency(figures, latency);
  return figures;
}

}  // namespace

void add_latency(Figures& figures, const LatencyHistogram& histogram) {
  const auto us = [](std::chrono::nanoseconds time) {
    return static_cast<double>(time.count()) / 1e3;
  };
  figures.emplace_back("p50_us", us(histogram.percentile(50)));
  figures.emplace_back("p99_us", us(histogram.percentile(99)));
  figures.emplace_back("max_us", us(histogram.max()));
}

Figures run_plain(const std::string& folder, std::size_t group,
                  std::chrono::duration<double> length) {
  const Folder own(folder);
  const int file =
      ::open((own.path() + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  SR_CHECK(file >= 0);
  std::string bytes;
  const std::string json = audit::to_json(new_entry());
  for (std::size_t i = 0; i < group; ++i) bytes += json;
  const Figures figures = groups(group, length, [&] {
    SR_CHECK(::write(file, bytes.data(), bytes.size()) == std::ssize(bytes));
    SR_CHECK(::fdatasync(file) == 0);
  });
  ::close(file);
  return figures;
}

Figures run_journal(const std::string& folder, std::size_t group,
                    std::chrono::duration<double> length) {
  const Folder own(folder);
  audit::PosixFiles files;
  auto reader = audit::JournalReader::open(files, own.path());
  SR_CHECK(reader && reader->next());
  const auto journal = audit::Journal::resume(files, {.directory = own.path()}, *reader);
  SR_CHECK(journal.has_value());
  const std::string json = audit::to_json(new_entry());
  return groups(group, length, [&] {
    for (std::size_t i = 0; i < group; ++i) (*journal)->stage(json);
    SR_CHECK((*journal)->commit().has_value());
  });
}

}  // namespace strongroom::bench

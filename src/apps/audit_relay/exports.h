// The exporters of [audit-relay], made for one worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/audit_relay/config.h"
#include "async/blocking_pool.h"
#include "base/metrics.h"
#include "connected/relay/exporter.h"

namespace strongroom::audit_relay {

// A sink that hangs keeps its own thread alone.
struct RunningExport {
  std::unique_ptr<async::BlockingPool> pool;
  std::unique_ptr<connected::relay::ExportSink> sink;
  std::unique_ptr<connected::relay::Exporter> exporter;
};

// What all exporters borrow; outlives them.
struct ExportParts {
  async::Loop& loop;
  audit::Files& files;
  const connected::relay::LogWatch& watch;
  audit::Recorder& recorder;
  crypto::Random& random;
  const Clock& clock;
  Registry& metrics;
  std::string place;  // of the logs: "<trust domain>/<auditd's instance>"
  std::string host;   // name of this machine
};

// Reads certificates. Errors of http::TlsContext and read_file.
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_export_tls(const Export& sink);
[[nodiscard]] Result<std::vector<RunningExport>> make_exports(const Config& config,
                                                              const ExportParts& parts);

}  // namespace strongroom::audit_relay

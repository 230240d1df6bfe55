#include "apps/audit_relay/exports.h"

#include <fmt/core.h>

#include <chrono>
#include <utility>

#include "base/file.h"
#include "base/try.h"

namespace strongroom::audit_relay {
namespace {

using connected::relay::ExportFormat;
using connected::relay::FileSink;
using connected::relay::Framing;
using connected::relay::TlsSink;

// Together well below what a stopping daemon has.
constexpr std::chrono::milliseconds kConnectTimeout{2'000};
constexpr std::chrono::milliseconds kWriteTimeout{4'000};
constexpr std::size_t kPemBytesMax = std::size_t{1} << 20;  // a system's whole bundle

connected::relay::ExportMetrics metrics_of(Registry& registry, const std::string& name) {
  const Labels labels{{"exporter", name}};
  return {
      .lag = registry.gauge("strongroom_audit_export_lag_entries",
                            "Signed entries that the sink does not surely have.", labels),
      .failing = registry.gauge("strongroom_audit_export_failing",
                                "1 while the sink takes nothing, or does not answer.", labels),
      .exported = registry.counter("strongroom_audit_exported_total",
                                   "Records handed to the sink, repeated ones included.", labels),
      .failures = registry.counter("strongroom_audit_export_failures_total",
                                   "Deliveries that failed.", labels)};
}

Result<std::unique_ptr<connected::relay::ExportSink>> make_sink(const Export& sink,
                                                                const ExportParts& parts,
                                                                async::BlockingPool& pool) {
  if (sink.is_file()) return std::make_unique<FileSink>(parts.loop, pool, sink.file);
  SR_TRY(auto tls, load_export_tls(sink));
  return std::make_unique<TlsSink>(
      parts.loop,
      http::ByteStreamOptions{.host = sink.host.host,
                              .port = sink.host.port,
                              .addresses = sink.addresses,
                              .tls = std::move(tls),
                              .connect_timeout = kConnectTimeout,
                              .write_timeout = kWriteTimeout},
      sink.format == ExportFormat::ndjson ? Framing::lines : Framing::octets);
}

}  // namespace

Result<std::shared_ptr<const http::TlsContext>> load_export_tls(const Export& sink) {
  SR_TRY(const std::string ca, read_file(sink.ca_path, kPemBytesMax));
  http::TlsOptions own;
  if (!sink.credentials.certificate_path.empty()) {
    SR_TRY(own.certificate_pem, read_file(sink.credentials.certificate_path, kPemBytesMax));
    SR_TRY(own.key_pem, read_secret_file(sink.credentials.key_path, kPemBytesMax));
  }
  return http::TlsContext::client_of_hosts(ca, own);
}

Result<std::vector<RunningExport>> make_exports(const Config& config, const ExportParts& parts) {
  std::vector<RunningExport> exports;
  exports.reserve(config.exports.size());
  for (const Export& one : config.exports) {
    auto pool = std::make_unique<async::BlockingPool>(1, 1);  // it does one thing at a time
    SR_TRY(auto sink, make_sink(one, parts, *pool));
    auto exporter = std::make_unique<connected::relay::Exporter>(connected::relay::Exporter::Parts{
        .loop = parts.loop,
        .pool = *pool,
        .files = parts.files,
        .watch = parts.watch,
        .recorder = parts.recorder,
        .random = parts.random,
        .clock = parts.clock,
        .sink = *sink,
        .metrics = metrics_of(parts.metrics, one.name),
        .name = one.name,
        .destination = one.destination,
        .directory = config.directory,
        .place = parts.place,
        .place_path = fmt::format("{}/export-{}", config.data, one.name),
        .host = parts.host,
        .format = one.format});
    exports.push_back(
        {.pool = std::move(pool), .sink = std::move(sink), .exporter = std::move(exporter)});
  }
  return exports;
}

}  // namespace strongroom::audit_relay

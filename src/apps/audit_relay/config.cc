// The keys of [audit-relay], each once.
#include "apps/audit_relay/config.h"

#include <algorithm>

#include "base/try.h"
#include "service/outside_host.h"

namespace strongroom::audit_relay {
namespace {

using connected::relay::ExportFormat;

constexpr std::string_view kTls = "tls://";
constexpr std::string_view kFile = "file:";

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

ExportFormat read_format(ConfigSection& section) {
  const std::string format = section.choice("format", {"syslog", "cef", "ndjson"}, "syslog");
  if (format == "cef") return ExportFormat::cef;
  return format == "ndjson" ? ExportFormat::ndjson : ExportFormat::syslog;
}

void read_tls_sink(ConfigSection& section, std::string_view host, Export& sink) {
  if (auto where = service::parse_host(host)) {
    sink.host = *std::move(where);
  } else {
    section.refuse("destination", where.error());
  }
  sink.addresses = service::read_addresses(section, "addresses");
  sink.ca_path = section.path("ca");
  if (section.has("certificate") || section.has("key")) {
    sink.credentials = service::read_credentials(section);
  }
}

void read_file_sink(ConfigSection& section, std::string_view path, Export& sink) {
  if (!path.starts_with('/')) {
    section.refuse("destination", {ErrorCode::invalid_argument, "takes an absolute path"});
  }
  sink.file.path = path;
  sink.file.bytes_max = static_cast<std::uint64_t>(section.integer("rotate_mib", 1, 65'536, 64))
                        << 20;
  sink.file.old_files_max = static_cast<unsigned>(section.integer("old_files", 0, 1'000, 8));
}

ConfigResult<Export> read_export(ConfigSection section, std::string name) {
  Export sink{.name = std::move(name), .destination = {}};
  sink.format = read_format(section);
  sink.destination = section.text("destination");
  const std::string_view where = sink.destination;
  if (where.starts_with(kTls)) {
    read_tls_sink(section, where.substr(kTls.size()), sink);
  } else if (where.starts_with(kFile)) {
    read_file_sink(section, where.substr(kFile.size()), sink);
  } else {
    section.refuse("destination",
                   {ErrorCode::invalid_argument, "must be tls://HOST:PORT or file:PATH"});
  }
  SR_CHECK_OK(section.finish());
  return sink;
}

// The exporters that `exporters` names, each in its own table.
ConfigResult<std::vector<Export>> read_exports(ConfigSection& section) {
  std::vector<Export> exports;
  const std::vector<std::string> names = section.text_list("exporters");
  exports.reserve(names.size());
  ConfigSection tables = section.subsection("export");
  for (const std::string& name : names) {
    const bool repeated = std::ranges::find(exports, name, &Export::name) != exports.end();
    if (!is_name(name) || repeated) {
      section.refuse("exporters", {ErrorCode::invalid_argument,
                                   "takes different names, each 1 to 32 of a-z, 0-9 and '-'"});
      continue;
    }
    SR_TRY(Export sink, read_export(tables.subsection(name), name));
    exports.push_back(std::move(sink));
  }
  SR_CHECK_OK(tables.finish());
  return exports;
}

}  // namespace

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.credentials = service::read_credentials(section);
  config.directory = section.path("directory");
  config.data = section.path("data");
  SR_TRY(config.exports, read_exports(section));
  for (const auto& [name, text] : section.table("witnesses")) {
    if (const auto where = service::parse_address(text)) {
      config.witnesses.emplace(name, *where);
    } else {
      section.refuse("witnesses", where.error());
    }
  }
  if (!config.witnesses.empty()) config.witness_ca = section.path("witness_ca");
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::audit_relay

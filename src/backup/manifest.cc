// The manifest's JSON.
#include "backup/manifest.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <limits>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "wire/json.h"

namespace strongroom::backup {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kTextMax = 4096;
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kPartsMax = 64;
constexpr std::size_t kFilesMax = 10'000'000;
constexpr wire::TextLength kText{.min = 0, .max = kTextMax};
constexpr wire::TextLength kName{.min = 1, .max = kTextMax};
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr Error kNoManifest{ErrorCode::corrupt, "no manifest of a backup that this program knows"};

std::uint64_t number(wire::ObjectReader& reader, wire::Member member) {
  return static_cast<std::uint64_t>(reader.integer(member, 0, kMax));
}

Result<crypto::Sha256Digest> digest(std::string_view text) {
  crypto::Sha256Digest digest;
  if (!parse_hex(text, digest)) return fail(kNoManifest);
  return digest;
}

// What is printed as it stands must not steer a terminal.
bool is_printable(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_id(std::string_view text) {
  return text.size() == kIdDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

Result<BackedFile> file_of(const boost::json::value& value) {
  if (!value.is_object()) return fail(kNoManifest);
  wire::ObjectReader reader(value.get_object());
  BackedFile file;
  file.path = reader.text("#/path", kName);
  file.mode = static_cast<std::uint32_t>(reader.integer("#/mode", 0, 0777));
  file.size_bytes = number(reader, "#/size_bytes");
  const std::string_view sha256 = reader.text("#/sha256", kName);
  if (reader.finish() || !is_plain_path(file.path)) return fail(kNoManifest);
  SR_TRY(file.sha256, digest(sha256));
  return file;
}

Result<Part> part_of(const boost::json::value& value) {
  if (!value.is_object()) return fail(kNoManifest);
  wire::ObjectReader reader(value.get_object());
  Part part;
  part.name = reader.text("#/name", kName);
  part.size_bytes = number(reader, "#/size_bytes");
  const std::string_view sha256 = reader.text("#/sha256", kName);
  const boost::json::array* files = reader.array("#/files", kFilesMax);
  if (reader.finish() || !is_plain_path(part.name) || part.name.contains('/')) {
    return fail(kNoManifest);
  }
  SR_TRY(part.sha256, digest(sha256));
  for (const boost::json::value& one : *files) {
    SR_TRY(BackedFile file, file_of(one));
    part.files.push_back(std::move(file));
  }
  return part;
}

Result<Database> database_of(const boost::json::value& value) {
  if (!value.is_object()) return fail(kNoManifest);
  wire::ObjectReader reader(value.get_object());
  Database database;
  database.name = reader.text("#/name", kName);
  database.schema_version = number(reader, "#/schema_version");
  database.rows = number(reader, "#/rows");
  if (reader.finish() || !is_printable(database.name)) return fail(kNoManifest);
  return database;
}

template <class T>
Result<std::vector<T>> list_of(const boost::json::array& array,
                               Result<T> (*read)(const boost::json::value&)) {
  std::vector<T> list;
  list.reserve(array.size());
  for (const boost::json::value& value : array) {
    SR_TRY(T one, read(value));
    list.push_back(std::move(one));
  }
  return list;
}

boost::json::object to_object(const Part& part) {
  boost::json::array files;
  files.reserve(part.files.size());
  for (const BackedFile& file : part.files) {
    files.push_back({{"path", file.path},
                     {"mode", file.mode},
                     {"size_bytes", file.size_bytes},
                     {"sha256", hex(file.sha256)}});
  }
  return {{"name", part.name},
          {"size_bytes", part.size_bytes},
          {"sha256", hex(part.sha256)},
          {"files", std::move(files)}};
}

}  // namespace

std::string_view to_string(Kind kind) noexcept { return kind == Kind::data ? "data" : "keys"; }

bool is_plain_path(std::string_view path) {
  if (path.starts_with('/') || path.ends_with('/') || !is_printable(path)) return false;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view step = path.substr(0, end);
    if (step.empty() || step == "." || step == "..") return false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

std::string part_file(std::string_view name) { return fmt::format("{}.part", name); }

const Part* Manifest::part(std::string_view name) const {
  const auto found = std::ranges::find(parts, name, &Part::name);
  return found == parts.end() ? nullptr : &*found;
}

std::string to_json(const Manifest& manifest) {
  boost::json::array databases, parts;
  for (const Database& database : manifest.databases) {
    databases.push_back({{"name", database.name},
                         {"schema_version", database.schema_version},
                         {"rows", database.rows}});
  }
  for (const Part& part : manifest.parts) parts.push_back(to_object(part));
  const boost::json::object object{{"version", kVersion},
                                   {"kind", to_string(manifest.kind)},
                                   {"id", manifest.id},
                                   {"deployment", manifest.deployment},
                                   {"program", manifest.program},
                                   {"made_at_us", manifest.made_at_us},
                                   {"log_before", manifest.log_before},
                                   {"log_end", manifest.log_end},
                                   {"databases", std::move(databases)},
                                   {"parts", std::move(parts)}};
  return boost::json::serialize(object);
}

Result<Manifest> parse_manifest(std::string_view json) {
  const auto value = wire::parse_strict(json, {});
  if (!value || !value->is_object()) return fail(kNoManifest);
  wire::ObjectReader reader(value->get_object());
  Manifest manifest;
  if (number(reader, "#/version") != kVersion) return fail(kNoManifest);
  const std::string_view kind = reader.text("#/kind", kName);
  manifest.id = reader.text("#/id", kName);
  manifest.deployment = reader.text("#/deployment", kName);
  manifest.program = reader.text("#/program", kText);
  manifest.made_at_us = reader.integer("#/made_at_us", 0, kMax);
  manifest.log_before = number(reader, "#/log_before");
  manifest.log_end = number(reader, "#/log_end");
  const boost::json::array* databases = reader.array("#/databases", kPartsMax);
  const boost::json::array* parts = reader.array("#/parts", kPartsMax);
  if (reader.finish() || !is_id(manifest.id) || !is_printable(manifest.deployment) ||
      !is_printable(manifest.program)) {
    return fail(kNoManifest);
  }
  if (kind != to_string(Kind::data) && kind != to_string(Kind::keys)) return fail(kNoManifest);
  manifest.kind = kind == to_string(Kind::data) ? Kind::data : Kind::keys;
  SR_TRY(manifest.databases, list_of<Database>(*databases, &database_of));
  SR_TRY(manifest.parts, list_of<Part>(*parts, &part_of));
  return manifest;
}

Result<PartFacts> write_manifest(audit::Files& files, const std::string& folder,
                                 const Manifest& manifest, const crypto::Aead& key,
                                 crypto::Random& random) {
  const std::string path = fmt::format("{}/{}", folder, kManifestName);
  SR_TRY(PartWriter writer,
         PartWriter::create(files, path, {.backup = {}, .part = std::string(kManifestName)}, key,
                            random));
  SR_CHECK_OK(writer.add(as_bytes(to_json(manifest))));
  SR_TRY(const PartFacts facts, writer.finish());
  SR_CHECK_OK(files.sync_directory(folder));
  return facts;
}

Result<Manifest> read_manifest(audit::Files& files, const std::string& folder,
                               const crypto::Aead& key) {
  const std::string path = fmt::format("{}/{}", folder, kManifestName);
  SR_TRY(PartReader reader,
         PartReader::open(files, path, {.backup = {}, .part = std::string(kManifestName)}, key));
  if (reader.size() > kManifestBytesMax) {
    return fail({ErrorCode::too_large, "manifest is too long"});
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(reader.size()));
  SR_TRY(const std::size_t got, reader.read(0, bytes));
  if (got != bytes.size()) return fail(kNoManifest);
  return parse_manifest(as_text(bytes));
}

}  // namespace strongroom::backup

// The readers: types, bounds and references. An error names the key and its place, never its value.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "base/config.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom {
namespace {

constexpr std::size_t kSecretSizeMax = std::size_t{64} << 10;

constexpr Error kNotText{ErrorCode::invalid_argument, "not a string"};
constexpr Error kNotInteger{ErrorCode::invalid_argument, "not an integer"};
constexpr Error kNotFlag{ErrorCode::invalid_argument, "neither true nor false"};
constexpr Error kNotList{ErrorCode::invalid_argument, "not a list of strings"};
constexpr Error kNotTable{ErrorCode::invalid_argument, "not a table"};
constexpr Error kNotTextTable{ErrorCode::invalid_argument, "not a table of strings"};
constexpr Error kMissing{ErrorCode::invalid_argument, "missing key"};
constexpr Error kEmpty{ErrorCode::invalid_argument, "empty value of"};

std::string absolute_path(const std::string& folder, std::string_view path) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

const ConfigNode kNoTable{.value = ConfigNode::Table{}};

}  // namespace

Result<SecretReference> parse_secret_reference(std::string_view text, const std::string& folder,
                                               Profile profile) {
  using Kind = SecretReference::Kind;
  constexpr std::string_view kFile = "file:";
  constexpr std::string_view kEnvironment = "env:";
  if (text.starts_with(kFile) && text.size() > kFile.size()) {
    return SecretReference{Kind::file, absolute_path(folder, text.substr(kFile.size()))};
  }
  if (text.starts_with(kEnvironment) && text.size() > kEnvironment.size()) {
    if (profile == Profile::production) {
      return fail(
          {ErrorCode::permission_denied, "production takes no secret from the environment:"});
    }
    return SecretReference{Kind::environment, std::string(text.substr(kEnvironment.size()))};
  }
  return fail({ErrorCode::invalid_argument, "a secret is given as file:PATH or env:NAME:"});
}

std::string text_of(const SecretReference& reference) {
  const bool file = reference.kind == SecretReference::Kind::file;
  return (file ? "file " : "variable ") + reference.where;
}

Result<SecretBytes> resolve_secret(const SecretReference& reference) {
  if (reference.kind == SecretReference::Kind::file) {
    return read_secret_file(reference.where, kSecretSizeMax);
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing changes the environment
  const char* value = std::getenv(reference.where.c_str());
  if (value == nullptr) return fail({ErrorCode::not_found, "environment variable is not set"});
  return SecretBytes::copy_of(as_bytes(value));
}

ConfigSection::ConfigSection(const Context& context, std::string name, const ConfigNode& node)
    : context_(&context), name_(std::move(name)), node_(&node) {}

const ConfigNode* ConfigSection::find(std::string_view key) const {
  const auto& table = std::get<ConfigNode::Table>(node_->value);
  const auto found = table.find(key);
  return found == table.end() ? nullptr : &found->second;
}

bool ConfigSection::has(std::string_view key) const { return find(key) != nullptr; }

void ConfigSection::refuse_at(std::string_view key, const ConfigNode& node, const Error& error) {
  if (first_error_) return;
  first_error_ =
      ConfigError{error.what(), context_->file, name_, std::string(key), node.line, node.column};
}

void ConfigSection::refuse(std::string_view key, const Error& error) {
  const ConfigNode* node = find(key);
  refuse_at(key, node != nullptr ? *node : *node_, error);
}

template <class T>
const T* ConfigSection::find_as(std::string_view key, const Error& wrong_type) {
  known_.emplace(key);
  const ConfigNode* node = find(key);
  if (node == nullptr) return nullptr;
  const T* value = std::get_if<T>(&node->value);
  if (value == nullptr) refuse_at(key, *node, wrong_type);
  return value;
}

template <class T>
const T* ConfigSection::require_as(std::string_view key, const Error& wrong_type) {
  const T* value = find_as<T>(key, wrong_type);
  if (value == nullptr && !has(key)) refuse_at(key, *node_, kMissing);
  return value;
}

std::string ConfigSection::text(std::string_view key) {
  const auto* value = require_as<std::string>(key, kNotText);
  if (value == nullptr) return {};
  if (value->empty()) refuse(key, kEmpty);
  return *value;
}

std::string ConfigSection::text_or(std::string_view key, std::string_view fallback) {
  const auto* value = find_as<std::string>(key, kNotText);
  return value != nullptr ? *value : std::string(fallback);
}

std::string ConfigSection::choice(std::string_view key,
                                  std::initializer_list<std::string_view> choices,
                                  std::string_view fallback) {
  std::string value = text_or(key, fallback);
  if (std::ranges::find(choices, value) == choices.end()) {
    refuse(key, {ErrorCode::invalid_argument, "not one of the values allowed for"});
    return {};
  }
  return value;
}

std::int64_t ConfigSection::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const auto* value = require_as<std::int64_t>(key, kNotInteger);
  if (value == nullptr) return 0;
  if (*value >= min && *value <= max) return *value;
  refuse(key, {ErrorCode::invalid_argument, "out of range:"});
  return 0;
}

std::int64_t ConfigSection::integer(std::string_view key, std::int64_t min, std::int64_t max,
                                    std::int64_t fallback) {
  if (has(key)) return integer(key, min, max);
  known_.emplace(key);
  return fallback;
}

bool ConfigSection::flag(std::string_view key, bool fallback) {
  const auto* value = find_as<bool>(key, kNotFlag);
  return value != nullptr ? *value : fallback;
}

std::string ConfigSection::path(std::string_view key) {
  const std::string value = text(key);
  return value.empty() ? value : absolute_path(context_->folder, value);
}

std::string ConfigSection::path_or_empty(std::string_view key) {
  if (has(key)) return path(key);
  known_.emplace(key);
  return {};
}

SecretReference ConfigSection::secret(std::string_view key) {
  const std::string value = text(key);
  if (value.empty()) return {};
  auto reference = parse_secret_reference(value, context_->folder, context_->profile);
  if (reference) return *std::move(reference);
  refuse(key, reference.error());
  return {};
}

std::vector<std::string> ConfigSection::text_list(std::string_view key) {
  const auto* list = find_as<ConfigNode::List>(key, kNotList);
  std::vector<std::string> texts;
  if (list == nullptr) return texts;
  for (const ConfigNode& element : *list) {
    if (const auto* text = std::get_if<std::string>(&element.value)) {
      texts.push_back(*text);
    } else {
      refuse_at(key, element, kNotList);
    }
  }
  return texts;
}

std::map<std::string, std::string> ConfigSection::table(std::string_view key) {
  const auto* table = find_as<ConfigNode::Table>(key, kNotTable);
  std::map<std::string, std::string> texts;
  if (table == nullptr) return texts;
  for (const auto& [name, element] : *table) {
    if (const auto* text = std::get_if<std::string>(&element.value)) {
      texts.emplace(name, *text);
    } else {
      refuse_at(key, element, kNotTextTable);
    }
  }
  return texts;
}

std::vector<std::string> ConfigSection::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, node] : std::get<ConfigNode::Table>(node_->value)) names.push_back(name);
  return names;
}

ConfigSection ConfigSection::subsection(std::string_view key) {
  const bool present = find_as<ConfigNode::Table>(key, kNotTable) != nullptr;
  const std::string prefix = name_.empty() ? "" : name_ + ".";
  const ConfigNode* node = present ? find(key) : nullptr;
  return {*context_, prefix + std::string(key), node != nullptr ? *node : kNoTable};
}

ConfigResult<void> ConfigSection::finish() {
  for (const auto& [key, node] : std::get<ConfigNode::Table>(node_->value)) {
    if (!known_.contains(key)) refuse_at(key, node, {ErrorCode::invalid_argument, "unknown key"});
  }
  if (first_error_) return std::unexpected(*first_error_);
  return {};
}

}  // namespace strongroom

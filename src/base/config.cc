// The file: TOML 1.0 into plain nodes. toml++ stays in here, and none of its messages leaves,
// because they quote the text they stumble over.
#include "base/config.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "base/file.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom {
namespace {

constexpr std::size_t kFileSizeMax = std::size_t{1} << 20;

ConfigNode to_node(const toml::node& from) {
  ConfigNode node{
      .line = from.source().begin.line, .column = from.source().begin.column, .value = {}};
  if (const auto* text = from.as_string()) {
    node.value = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.value = integer->get();
  } else if (const auto* flag = from.as_boolean()) {
    node.value = flag->get();
  } else if (const auto* array = from.as_array()) {
    ConfigNode::List list;
    for (const toml::node& element : *array) list.push_back(to_node(element));
    node.value = std::move(list);
  } else if (const auto* table = from.as_table()) {
    ConfigNode::Table members;
    for (const auto& [key, member] : *table) {
      ConfigNode child = to_node(member);
      // The place of a member is that of its key; a section header's is that of the bracket.
      if (key.source().begin) {
        child.line = key.source().begin.line;
        child.column = key.source().begin.column;
      }
      members.emplace(std::string(key.str()), std::move(child));
    }
    node.value = std::move(members);
  }
  return node;
}

const ConfigNode::Table& members(const ConfigNode& table) {
  return std::get<ConfigNode::Table>(table.value);
}

}  // namespace

std::string_view to_string(Profile profile) noexcept {
  return profile == Profile::demo ? "demo" : "production";
}

std::string ConfigError::text() const {
  std::string text = file;
  if (line != 0) text += fmt::format(":{}:{}", line, column);
  text += ": ";
  if (!section.empty()) text += fmt::format("[{}] ", section);
  text += message;
  if (!key.empty()) text += fmt::format(" '{}'", key);
  return mask_pans(text);
}

ConfigResult<ConfigFile> ConfigFile::load(const std::string& path, const std::string& folder) {
  const auto absolute_of = [](const std::string& name) {
    return std::filesystem::absolute(name).lexically_normal();
  };
  const std::filesystem::path absolute = absolute_of(path);
  const Result<std::string> content = read_file(absolute.string(), kFileSizeMax);
  if (!content) {
    return std::unexpected(ConfigError{.message = content.error().what(), .file = path});
  }
  const std::filesystem::path start = folder.empty() ? absolute.parent_path() : absolute_of(folder);
  return parse(*content, absolute.filename().string(), start.string());
}

ConfigResult<ConfigFile> ConfigFile::parse(std::string_view toml, std::string file_name,
                                           std::string folder) try {
  ConfigFile file;
  file.context_.file = std::move(file_name);
  file.context_.folder = std::move(folder);
  file.root_ = to_node(toml::parse(toml, file.context_.file));
  if (auto read = file.read_profile(); !read) return std::unexpected(std::move(read).error());
  return file;
} catch (const toml::parse_error& error) {
  return std::unexpected(
      ConfigError{.message = "not valid TOML",
                  .file = std::string(error.source().path ? *error.source().path : ""),
                  .line = error.source().begin.line,
                  .column = error.source().begin.column});
}

ConfigResult<void> ConfigFile::read_profile() {
  const ConfigNode* deployment = find_table("deployment");
  if (deployment == nullptr) return {};
  ConfigSection section(context_, "deployment", *deployment);
  const std::string name = section.choice("profile", {"demo", "production"}, "production");
  if (section.first_error_) return std::unexpected(*section.first_error_);
  context_.profile = name == "demo" ? Profile::demo : Profile::production;
  return {};
}

ConfigError ConfigFile::error_at(std::string_view message, const std::string& key,
                                 const ConfigNode& node) const {
  return {.message = message,
          .file = context_.file,
          .key = key,
          .line = node.line,
          .column = node.column};
}

const ConfigNode* ConfigFile::find_table(std::string_view dotted_name) const {
  const ConfigNode* node = &root_;
  while (!dotted_name.empty()) {
    const std::size_t dot = std::min(dotted_name.find('.'), dotted_name.size());
    const auto found = members(*node).find(dotted_name.substr(0, dot));
    if (found == members(*node).end()) return nullptr;
    node = &found->second;
    if (!std::holds_alternative<ConfigNode::Table>(node->value)) return nullptr;
    dotted_name.remove_prefix(std::min(dot + 1, dotted_name.size()));
  }
  return node;
}

ConfigResult<ConfigSection> ConfigFile::section(std::string_view dotted_name) const {
  const ConfigNode* node = find_table(dotted_name);
  if (node != nullptr) return ConfigSection(context_, std::string(dotted_name), *node);
  return std::unexpected(error_at("there is no section", std::string(dotted_name), {}));
}

bool ConfigFile::has_section(std::string_view dotted_name) const {
  return find_table(dotted_name) != nullptr;
}

ConfigResult<void> ConfigFile::expect_sections(
    std::initializer_list<std::string_view> names) const {
  for (const auto& [key, node] : members(root_)) {
    if (!std::holds_alternative<ConfigNode::Table>(node.value)) {
      return std::unexpected(error_at("key outside of any section", key, node));
    }
    if (std::ranges::find(names, key) == names.end()) {
      return std::unexpected(error_at("unknown section", key, node));
    }
  }
  return {};
}

}  // namespace strongroom

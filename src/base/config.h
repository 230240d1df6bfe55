// The configuration of a deployment: one TOML file, a section per instance ([vaultd],
// [connectord.stripe]). Reading names each key once, with its bounds; what was not named is an
// error with its line and column. Secrets stand in it as references only.
//
//   const ConfigResult<ConfigFile> file = ConfigFile::load("strongroom.toml");
//   ConfigSection section = *file->section("vaultd");
//   options.listen = section.text("listen");
//   options.workers = section.integer("workers", 1, 64, 2);
//   if (auto ok = section.finish(); !ok) return report(ok.error().text());
//
// Not thread-safe; everything here happens before the sandbox and the threads.
#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom {

// Profile is the deployment's promise: `demo` takes test cards only, `production` refuses what only
// a demonstration may do (design: environment secrets, software HSM without consent, test cards).
enum class Profile : std::uint8_t { demo, production };
[[nodiscard]] std::string_view to_string(Profile profile) noexcept;

// ConfigError is the one error that carries text from outside: the names of the file, the section
// and the key, never a value.
struct ConfigError {
  std::string_view message;  // a literal
  std::string file = {};
  std::string section = {};
  std::string key = {};
  std::uint32_t line = 0;  // from 1; 0 when the error has no place in the file
  std::uint32_t column = 0;

  // "strongroom.toml:12:5: [vaultd] unknown key 'foo'". What looks like a card number is masked.
  [[nodiscard]] std::string text() const;
};
template <class T>
using ConfigResult = std::expected<T, ConfigError>;

// SecretReference says where a secret stands: "file:PATH" or "env:NAME".
struct SecretReference {
  enum class Kind : std::uint8_t { file, environment };
  Kind kind = Kind::file;
  std::string where;  // an absolute path, or a variable's name
};
// `text` as a reference; a relative path starts at `folder`. invalid_argument when it is none (so
// also for a secret written inline); permission_denied for env: in production.
[[nodiscard]] Result<SecretReference> parse_secret_reference(std::string_view text,
                                                             const std::string& folder,
                                                             Profile profile);
// The reference as it is shown to an operator: "file PATH", "variable NAME".
[[nodiscard]] std::string text_of(const SecretReference& reference);
// The secret, at most 64 KiB, as read_secret_file reads it; not_found when the variable is not set.
[[nodiscard]] Result<SecretBytes> resolve_secret(const SecretReference& reference);

// ConfigNode is one parsed value and its place.
struct ConfigNode {
  using List = std::vector<ConfigNode>;
  using Table = std::map<std::string, ConfigNode, std::less<>>;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::variant<std::monostate, std::string, std::int64_t, bool, List, Table>
      value;  // monostate: other
};

// ConfigSection reads one table. Each reader marks its key as known and returns the value, or the
// given default where the key is absent; a reader without a default makes an absent key an error. A
// reader that meets an error returns an empty value, and finish() returns the first error. Borrows
// its ConfigFile, which must stay where it is.
class ConfigSection {
 public:
  [[nodiscard]] bool has(std::string_view key) const;
  // What stands in it, for tables whose keys are names.
  [[nodiscard]] std::vector<std::string> keys() const;

  [[nodiscard]] std::string text(std::string_view key);  // not empty
  [[nodiscard]] std::string text_or(std::string_view key, std::string_view fallback);
  // One of `choices`.
  [[nodiscard]] std::string choice(std::string_view key,
                                   std::initializer_list<std::string_view> choices,
                                   std::string_view fallback);
  // Between `min` and `max`, both included.
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max);
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max,
                                     std::int64_t fallback);
  [[nodiscard]] bool flag(std::string_view key, bool fallback);
  // An absolute path; a relative one starts at the file's folder.
  [[nodiscard]] std::string path(std::string_view key);
  [[nodiscard]] std::string path_or_empty(std::string_view key);
  [[nodiscard]] SecretReference secret(std::string_view key);
  // Empty where absent.
  [[nodiscard]] std::vector<std::string> text_list(std::string_view key);
  [[nodiscard]] std::map<std::string, std::string> table(std::string_view key);
  // A table inside this one, to be finished by itself; without keys where absent.
  [[nodiscard]] ConfigSection subsection(std::string_view key);

  // An error of `key`, for rules that the readers do not know. Keeps the first error.
  void refuse(std::string_view key, const Error& error);
  // The first error, an unknown key included.
  [[nodiscard]] ConfigResult<void> finish();

 private:
  friend class ConfigFile;
  struct Context {
    std::string file;
    std::string folder;
    Profile profile = Profile::production;
  };
  ConfigSection(const Context& context, std::string name, const ConfigNode& node);
  const ConfigNode* find(std::string_view key) const;
  template <class T>
  const T* find_as(std::string_view key, const Error& wrong_type);
  // The same, and an absent key is an error.
  template <class T>
  const T* require_as(std::string_view key, const Error& wrong_type);
  void refuse_at(std::string_view key, const ConfigNode& node, const Error& error);

  const Context* context_;
  std::string name_;
  const ConfigNode* node_;
  std::set<std::string, std::less<>> known_;
  std::optional<ConfigError> first_error_;
};

// ConfigFile is a parsed file of at most 1 MiB.
class ConfigFile {
 public:
  // Relative paths in it start at `folder`, by default at the file's own.
  [[nodiscard]] static ConfigResult<ConfigFile> load(const std::string& path,
                                                     const std::string& folder = {});
  // The same from text.
  [[nodiscard]] static ConfigResult<ConfigFile> parse(std::string_view toml, std::string file_name,
                                                      std::string folder);

  // The key `profile` of the section [deployment]; production where it is absent.
  [[nodiscard]] Profile profile() const noexcept { return context_.profile; }
  // The folder that relative paths start at, absolute.
  [[nodiscard]] const std::string& folder() const noexcept { return context_.folder; }

  // The table at a dotted name; an error where it is absent.
  [[nodiscard]] ConfigResult<ConfigSection> section(std::string_view dotted_name) const;
  [[nodiscard]] bool has_section(std::string_view dotted_name) const;
  // An error for the first thing at the top level that is not a section of `names`.
  [[nodiscard]] ConfigResult<void> expect_sections(
      std::initializer_list<std::string_view> names) const;

 private:
  using Context = ConfigSection::Context;
  const ConfigNode* find_table(std::string_view dotted_name) const;
  [[nodiscard]] ConfigResult<void> read_profile();
  [[nodiscard]] ConfigError error_at(std::string_view message, const std::string& key,
                                     const ConfigNode& node) const;

  Context context_;
  ConfigNode root_;
};

}  // namespace strongroom

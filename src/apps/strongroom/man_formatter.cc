// CLI11's formatter with the headings of a manual page.
#include "apps/strongroom/man_formatter.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <string>

namespace strongroom::tool {
namespace {

constexpr std::string_view kExitStatus = R"(
EXIT STATUS
    0    done; what was asked for holds
    1    an answer was given, and it is no: the log is not intact, a daemon is not ready, keys are
         not as they were registered, a new version of a key is not active yet, a card is not
         erased yet
    2    usage, configuration, or a refused request; the reason is on standard error
    3    a daemon, or what it needs, is not reachable
    4    done as far as it goes: part of the log is in archives, which are named, or (audit verify)
         archives are missing, or nothing tells which there must be

ENVIRONMENT
    STRONGROOM_DIR    the deployment's folder where --dir is not given; ./sandbox where neither is
)";

// "strongroom api-keys create": the command and all above it.
std::string full_name(const CLI::App* app) {
  if (app->get_parent() == nullptr) return app->get_name();
  return full_name(app->get_parent()) + " " + app->get_name();
}

std::string option_name(const CLI::Option* option) {
  std::string text = option->get_name(option->get_positional());
  const std::string value = option->get_type_name();  // empty for a flag
  if (!value.empty() && !option->get_positional()) text += " " + value;
  return text;
}

class ManualForm final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    std::string text = fmt::format("NAME\n    {} - {}\n\nSYNOPSIS\n    {}\n", full_name(app),
                                   app->get_description(), synopsis(app));
    std::string options;
    for (const CLI::Option* option : app->get_options()) {
      options += fmt::format("    {:<28} {}\n", option_name(option), option->get_description());
    }
    if (!options.empty()) text += "\nOPTIONS\n" + options;
    std::string commands;
    for (const CLI::App* command : app->get_subcommands({})) {
      commands += fmt::format("    {:<28} {}\n", command->get_name(), command->get_description());
    }
    if (!commands.empty()) text += "\nCOMMANDS\n" + commands;
    return text + std::string(kExitStatus);
  }

 private:
  static std::string synopsis(const CLI::App* app) {
    std::string line = full_name(app);
    for (const CLI::Option* option : app->get_options()) {
      const std::string name = option_name(option);
      line += option->get_required() ? " " + name : " [" + name + "]";
    }
    if (!app->get_subcommands({}).empty()) line += " COMMAND";
    return line;
  }
};

}  // namespace

// Shared because CLI11 hands the same formatter to every subcommand.
void use_manual_form(CLI::App& app) { app.formatter(std::make_shared<ManualForm>()); }

}  // namespace strongroom::tool

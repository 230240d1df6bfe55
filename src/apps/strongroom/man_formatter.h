// Help in the form of a manual page, made of what CLI11 knows of a command.
#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 calls itself so
class App;
}

namespace strongroom::tool {

// Gives `app` and the subcommands made from now on help with NAME, SYNOPSIS, OPTIONS, COMMANDS and
// EXIT STATUS.
void use_manual_form(CLI::App& app);

}  // namespace strongroom::tool

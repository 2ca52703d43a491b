// The help pages, made from the table of commands.
#pragma once
#include <string>
#include <string_view>

#include "daemon/cli/commands.h"

namespace aima::cli {
std::string help_all();
std::string help_group(std::string_view group);
std::string help_command(const Command& command);
}  // namespace aima::cli

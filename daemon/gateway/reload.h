// What SIGHUP makes of a configuration that was read again while the daemon runs.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.h"

namespace aima {

// Whether SIGHUP takes this setting over: log.level and the API keys.
bool is_taken_over(std::string_view key);

// The other settings whose values differ, by their keys in the file: only a restart takes them over.
// What is written otherwise and means the same, a default written out too, does not differ.
std::vector<std::string> settings_for_restart(const Config& running, const Config& read);

}  // namespace aima

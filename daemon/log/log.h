// The daemon's log on stderr: one line per event, as text or JSON.
#pragma once
#include <string>
#include <string_view>

namespace aima {
void log_debug(std::string_view component, std::string message);
void log_info(std::string_view component, std::string message);
void log_warn(std::string_view component, std::string message);
void log_error(std::string_view component, std::string message);
void set_log_level(std::string_view level);  // trace, debug, info, warn, error
}  // namespace aima

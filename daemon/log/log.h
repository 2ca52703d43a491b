// The daemon's log: one line per event on stderr, as text or as one JSON object a line.
// Thread-safe. The one file that sees the logging library is log.cpp.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace aima {

enum class LogFormat { text, json };

// "text" or "json"; nothing else.
std::optional<LogFormat> log_format_from(std::string_view name);
// trace, debug, info, warn, error.
bool is_log_level(std::string_view name);

// Once, before the first line; logging before it goes out as text at level info.
void init_log(LogFormat format, std::string_view level);
// An unknown name leaves the level as it is (check with is_log_level).
void set_log_level(std::string_view level);
// Whether a debug line would be written: worth asking before one is put together for each request.
bool logs_debug();

// `component` is the part that speaks: "gateway", "store", …
void log_debug(std::string_view component, std::string message);
void log_info(std::string_view component, std::string message);
void log_warn(std::string_view component, std::string message);
void log_error(std::string_view component, std::string message);
// Written whatever the level: what other programs wait for (the listening line).
void log_notice(std::string_view component, std::string message);

}  // namespace aima

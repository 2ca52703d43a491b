// spdlog behind the functions of log.h; owns the process-wide logger.
#include "daemon/log/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <memory>

namespace aima {
namespace {

struct LevelName {
  std::string_view name;
  spdlog::level::level_enum level;
};
constexpr std::array<LevelName, 5> level_names{{{"trace", spdlog::level::trace},
                                                {"debug", spdlog::level::debug},
                                                {"info", spdlog::level::info},
                                                {"warn", spdlog::level::warn},
                                                {"error", spdlog::level::err}}};

struct Log {
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::text;
};

// %l is replaced by a name of ours, so that both formats say "warn" and "error".
constexpr auto text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %v";
constexpr auto json_pattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})";

Log make_log() {
  Log log;
  log.logger =
      std::make_shared<spdlog::logger>("aima", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log.logger->set_pattern(text_pattern, spdlog::pattern_time_type::utc);
  log.logger->set_level(spdlog::level::info);
  log.logger->flush_on(spdlog::level::trace);
  // A reader of our stderr that went away must not fill anything or throw.
  log.logger->set_error_handler([](const std::string&) {});
  return log;
}

Log& the_log() {
  static Log log = make_log();
  return log;
}

std::string_view name_of(spdlog::level::level_enum level) {
  for (const auto& entry : level_names) {
    if (entry.level == level) return entry.name;
  }
  return "info";
}

// A message is one line: line breaks and control bytes of foreign text are written as escapes.
void append_escaped(std::string& out, std::string_view text, bool json) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (json && (c == '"' || c == '\\')) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(byte));
      out += escape.data();
    } else {
      out += c;
    }
  }
}

std::string compose(LogFormat format, std::string_view level, std::string_view component,
                    std::string_view message) {
  std::string line;
  line.reserve(message.size() + 64);
  if (format == LogFormat::json) {
    line.append("\"level\":\"").append(level).append("\",\"component\":\"").append(component);
    line.append("\",\"message\":\"");
    append_escaped(line, message, true);
    line += '"';
  } else {
    line.append(level).append(5 - std::min<std::size_t>(5, level.size()), ' ');
    line.append(" ").append(component).append(": ");
    append_escaped(line, message, false);
  }
  return line;
}

void write(spdlog::level::level_enum level, std::string_view component, std::string_view message,
           bool always = false) {
  Log& log = the_log();
  if (!always && !log.logger->should_log(level)) return;
  const std::string line = compose(log.format, name_of(level), component, message);
  // `critical` passes every level; the name in the line stays the one of `level`.
  log.logger->log(always ? spdlog::level::critical : level, spdlog::string_view_t(line));
}

}  // namespace

std::optional<LogFormat> log_format_from(std::string_view name) {
  if (name == "text") return LogFormat::text;
  if (name == "json") return LogFormat::json;
  return std::nullopt;
}

bool is_log_level(std::string_view name) {
  for (const auto& entry : level_names) {
    if (entry.name == name) return true;
  }
  return false;
}

void init_log(LogFormat format, std::string_view level) {
  Log& log = the_log();
  log.format = format;
  log.logger->set_pattern(format == LogFormat::json ? json_pattern : text_pattern,
                          spdlog::pattern_time_type::utc);
  set_log_level(level);
}

void set_log_level(std::string_view level) {
  for (const auto& entry : level_names) {
    if (entry.name == level) the_log().logger->set_level(entry.level);
  }
}

bool logs_debug() { return the_log().logger->should_log(spdlog::level::debug); }

void log_debug(std::string_view component, std::string message) {
  write(spdlog::level::debug, component, message);
}
void log_info(std::string_view component, std::string message) {
  write(spdlog::level::info, component, message);
}
void log_warn(std::string_view component, std::string message) {
  write(spdlog::level::warn, component, message);
}
void log_error(std::string_view component, std::string message) {
  write(spdlog::level::err, component, message);
}
void log_notice(std::string_view component, std::string message) {
  write(spdlog::level::info, component, message, true);
}

}  // namespace aima

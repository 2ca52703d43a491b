// See metrics_text.h.
#include "daemon/gateway/metrics_text.h"

#include <fmt/format.h>

#include <iterator>

namespace aima {

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsText::begin(std::string_view labels, std::string_view suffix) {
  text_.append(name_).append(suffix);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_ += ' ';
}

void MetricsText::sample(std::uint64_t value, std::string_view labels, std::string_view suffix) {
  begin(labels, suffix);
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void MetricsText::sample(double value, std::string_view labels, std::string_view suffix) {
  begin(labels, suffix);
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void MetricsText::single(std::string_view name, std::string_view type, std::string_view help,
                         std::uint64_t value) {
  family(name, type, help);
  sample(value);
}

std::string MetricsText::label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text += '"';
}

}  // namespace aima

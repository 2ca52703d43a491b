// See doctor_text.h.
#include "daemon/cli/doctor_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace aima::cli {
namespace {
constexpr std::size_t kNarrowest = 60;
constexpr std::size_t kWidest = 100;

std::size_t width_of_screen() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return kWidest;
  return std::clamp<std::size_t>(size.ws_col, kNarrowest, kWidest);
}

// Code points of the text, which may hold anything: control bytes become blanks.
std::string plain(std::string text) {
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = ' ';
  }
  return text;
}

std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

// Broken at blanks; what follows the first line stands below `indent`. A longer word stays whole.
std::string wrapped(const std::string& first, std::size_t indent, const std::string& text,
                    std::size_t width) {
  std::string out = first;
  std::size_t column = indent;
  bool begun = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const std::size_t wide = columns_of(word);
    if (begun && column + 1 + wide > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      begun = false;
    }
    out += (begun ? " " : "") + word;
    column += wide + (begun ? 1 : 0);
    begun = true;
  }
  return out + "\n";
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, text.size()), ' ');
}
}  // namespace

std::string doctor_text(const Json& report) {
  const std::size_t width = width_of_screen();
  std::size_t longest = 0;
  for (const Json& item : report["items"]) {
    longest = std::max(longest, item["check"].get_ref<const std::string&>().size());
  }
  const std::size_t indent = 9 + longest + 2;
  std::string out;
  for (const Json& item : report["items"]) {
    const std::string head =
        padded(item["result"].get<std::string>(), 9) +
        padded(item["check"].get<std::string>(), longest + 2);
    out += wrapped(head, indent, plain(item["found"].get<std::string>()), width);
    for (const Json& detail : item["details"]) {
      out += wrapped(std::string(indent, ' ') + "- ", indent + 2, plain(detail.get<std::string>()),
                     width);
    }
    const auto advice = item["advice"].get<std::string>();
    if (!advice.empty()) {
      out += wrapped(std::string(indent, ' ') + "→ ", indent + 2, plain(advice), width);
    }
  }
  return out + "\n" + report["summary"].get<std::string>() + "\n";
}
}  // namespace aima::cli

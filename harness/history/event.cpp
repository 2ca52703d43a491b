// Reads a history back: whole lines only, in order, without gaps.
#include "harness/history/event.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

// The event of one line, or an empty kind where the line is no event.
Event read_line(std::string_view line) {
  Event event;
  Json fields = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!fields.is_object()) return event;
  auto n = fields.find("n");
  auto time = fields.find("t_us");
  auto kind = fields.find("event");
  if (n == fields.end() || !n->is_number_integer() || time == fields.end() ||
      !time->is_number_integer() || kind == fields.end() || !kind->is_string()) {
    return event;
  }
  event.n = n->get<std::int64_t>();
  event.t_us = time->get<std::int64_t>();
  event.kind = kind->get<std::string>();
  event.fields = std::move(fields);
  return event;
}

tl::unexpected<Error> broken(std::size_t line, const std::string& what) {
  return fail(ErrorKind::invalid,
              fmt::format("history line {}: {}. A history is append-only and never edited; this "
                          "one cannot be judged",
                          line, what));
}

}  // namespace

Result<History> parse_history(const std::string& text) {
  History history;
  bool ended = false;
  std::size_t at = 0;
  for (std::size_t number = 1; at < text.size(); ++number) {
    const std::size_t newline = text.find('\n', at);
    const bool whole = newline != std::string::npos;
    const std::size_t end = whole ? newline : text.size();
    const bool last = !whole || newline + 1 == text.size();
    Event event = read_line(std::string_view(text).substr(at, end - at));
    at = whole ? newline + 1 : text.size();
    if (event.kind.empty()) {
      if (!last) return broken(number, "not an event (an object with n, t_us and event)");
      history.cut = true;
      history.cut_reason = fmt::format("its last line ({}) is torn", number);
      return history;
    }
    const std::int64_t expected = static_cast<std::int64_t>(history.events.size()) + 1;
    if (event.n != expected) {
      return broken(number, fmt::format("event {} follows event {}", event.n, expected - 1));
    }
    if (!history.events.empty() && event.t_us < history.events.back().t_us) {
      return broken(number, fmt::format("time runs backwards, from {} to {} microseconds",
                                        history.events.back().t_us, event.t_us));
    }
    ended = ended || event.kind == "run.end";
    history.events.push_back(std::move(event));
  }
  if (!ended) {
    history.cut = true;
    history.cut_reason = history.events.empty()
                             ? "it is empty"
                             : fmt::format("it stops after event {} ({}) without run.end",
                                           history.events.back().n, history.events.back().kind);
  }
  return history;
}

Result<History> read_history(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    return fail(ErrorKind::invalid,
                fmt::format("cannot read the history {}: {}", path, std::strerror(errno)));
  }
  std::string text;
  text.resize(static_cast<std::size_t>(status.st_size));
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ErrorKind::invalid,
                  fmt::format("cannot read the history {}: {}", path, std::strerror(errno)));
    }
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  auto history = parse_history(text);
  if (!history) history.error().message = path + ": " + history.error().message;
  return history;
}

}  // namespace harness

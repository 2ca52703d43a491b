// Reads a history back: whole lines only, in order, without gaps.
#include "harness/history/event.h"

#include <string_view>

#include <fmt/format.h>

#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/history/chain.h"

namespace harness {
namespace {

// A document (read_json.h) inside an event; a snapshot holds several.
constexpr std::size_t deepest_line = 320;

// The event of one line, or an empty kind where the line is no event. `values_left` is what may still
// be kept of the whole history; `why` says that it is not enough.
Event read_line(std::string_view line, std::size_t& values_left, std::string& why) {
  Event event;
  JsonReading reading = read_json(line, {deepest_line, values_left});
  if (reading.kind == JsonReading::Kind::too_much) why = reading.why;
  Json& fields = reading.value;
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
  values_left -= reading.values;
  return event;
}

tl::unexpected<Error> broken(std::size_t line, const std::string& what) {
  return fail(ErrorKind::invalid,
              fmt::format("history line {}: {}. A history is append-only and never edited; this "
                          "one cannot be judged",
                          line, what));
}

// Why the event with this number cannot stand here.
std::string misplaced(std::int64_t found, std::int64_t expected) {
  const std::string follows = fmt::format("event {} follows event {}", found, expected - 1);
  if (found == expected - 1) return follows + ": it stands here twice";
  if (found < expected) return follows + ": it stands here again, or was moved";
  if (found == expected + 1) return fmt::format("{}: event {} was removed, or moved", follows, expected);
  return fmt::format("{}: events {} to {} were removed, or moved", follows, expected, found - 1);
}

constexpr std::size_t hash_shown = 16;

}  // namespace

struct HistoryReader::Next {
  std::optional<Event> event;
  std::string head;
  std::size_t values_left = 0;
};

// The head that this line makes; empty in a history without a chain.
Result<std::string> HistoryReader::linked(std::string_view line, const Event& event) const {
  const std::size_t number = events_.size() + 1;
  const auto parts = split_chained(line);
  const bool chained = events_.empty() ? parts.has_value() : !head_.empty();
  if (!chained && !parts) return std::string();
  if (!chained) {
    return broken(number, fmt::format("{} carries a hash, but the lines before do not: lines were "
                                      "joined that do not belong together",
                                      describe(event)));
  }
  if (!parts) {
    return broken(number, fmt::format("{} carries no hash, though the lines before do: it was "
                                      "inserted or edited",
                                      describe(event)));
  }
  const std::string_view before = events_.empty() ? chain_start : std::string_view(head_);
  const std::string hash = chain_hash(before, parts->body);
  if (hash == parts->hash) return hash;
  return broken(number,
                fmt::format("{} was edited, or does not belong after {}: by its own bytes and the "
                            "line before its hash is {}…, but it says {}…",
                            describe(event),
                            events_.empty() ? "the beginning" : describe(events_.back()),
                            hash.substr(0, hash_shown), parts->hash.substr(0, hash_shown)));
}

Result<HistoryReader::Next> HistoryReader::next(std::string_view line) const {
  const std::size_t number = events_.size() + 1;
  Next next;
  next.values_left = values_left_;
  std::string why;
  Event event = read_line(line, next.values_left, why);
  if (!why.empty()) return broken(number, "it is JSON " + why);
  if (event.kind.empty()) return next;
  if (event.n != static_cast<std::int64_t>(number)) {
    return broken(number, misplaced(event.n, static_cast<std::int64_t>(number)));
  }
  if (!events_.empty() && event.t_us < events_.back().t_us) {
    return broken(number, fmt::format("time runs backwards, from {} to {} microseconds",
                                      events_.back().t_us, event.t_us));
  }
  auto head = linked(line, event);
  if (!head) return tl::unexpected(head.error());
  next.head = std::move(*head);
  next.event = std::move(event);
  return next;
}

Result<void> HistoryReader::add(std::string_view line) {
  auto next = this->next(line);
  if (!next) return tl::unexpected(next.error());
  if (!next->event) {
    return broken(events_.size() + 1, "not an event (an object with n, t_us and event)");
  }
  ended_ = ended_ || next->event->kind == "run.end";
  head_ = std::move(next->head);
  values_left_ = next->values_left;
  events_.push_back(std::move(*next->event));
  return {};
}

Result<std::optional<Event>> HistoryReader::tail(std::string_view line) const {
  if (!line.ends_with('}')) return std::nullopt;  // torn: no need to read it
  auto next = this->next(line);
  if (!next) return tl::unexpected(next.error());
  return std::move(next->event);
}

Result<History> HistoryReader::end(std::string_view rest) {
  History history;
  if (!rest.empty()) {
    auto last = tail(rest);
    if (!last) return tl::unexpected(last.error());
    if (!*last) {
      history.cut = true;
      history.cut_reason = fmt::format("its last line ({}) is torn", events_.size() + 1);
    } else if (auto added = add(rest); !added) {
      return tl::unexpected(added.error());
    }
  }
  if (!history.cut && !ended_) {
    history.cut = true;
    history.cut_reason = events_.empty()
                             ? "it is empty"
                             : fmt::format("it stops after event {} ({}) without run.end",
                                           events_.back().n, events_.back().kind);
  }
  history.events = std::move(events_);
  history.head = std::move(head_);
  *this = HistoryReader();
  return history;
}

Result<History> parse_history(const std::string& text) {
  HistoryReader reader;
  const std::string_view all = text;
  std::size_t at = 0;
  for (std::size_t newline = all.find('\n'); newline != std::string_view::npos;
       newline = all.find('\n', at)) {
    if (auto added = reader.add(all.substr(at, newline - at)); !added) {
      return tl::unexpected(added.error());
    }
    at = newline + 1;
  }
  return reader.end(all.substr(at));
}

std::string describe(const Event& event) {
  const auto step = event.fields.find("step");
  if (step == event.fields.end() || !step->is_string()) {
    return fmt::format("event {} ({})", event.n, event.kind);
  }
  return fmt::format("event {} ({} of step {})", event.n, event.kind, step->get<std::string>());
}

Result<History> read_history(const std::string& path) {
  const auto text = read_file(path, most_history_bytes, Links::refused);
  if (!text) return within("the history", text.error());
  auto history = parse_history(*text);
  if (!history) history.error().message = path + ": " + history.error().message;
  return history;
}

}  // namespace harness

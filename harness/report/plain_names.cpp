#include "harness/report/plain_names.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "harness/verdict/record.h"

namespace harness {
namespace {

constexpr const char* kMask = "#";
// Shorter values stand in too many places for another reason.
constexpr std::size_t shortest_inside = 4;
constexpr std::size_t shortest_id = 8;
constexpr std::int64_t looks_like_a_time = 1'000'000'000;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Keys whose values differ from run to run.
bool is_measure(const std::string& key) {
  constexpr std::array ends = {"_ms", "_us", "_ns", "_kb", "_bytes", "_ticks", "_at", "pid", "port"};
  constexpr std::array whole = {"tid", "inode", "rss", "uptime", "at", "mtime", "time", "bytes", "size", "tries"};
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return key.ends_with(end); }) ||
         std::find(whole.begin(), whole.end(), key) != whole.end();
}

// An id, a digest, a large number: eight hexadecimal digits or more, a decimal one among them.
bool is_id(std::string_view word) {
  if (word.size() < shortest_id) return false;
  return std::all_of(word.begin(), word.end(),
                     [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }) &&
         std::any_of(word.begin(), word.end(), is_digit);
}

// An id that is counted up: who came first is chance.
Json without_count(const Json& id) {
  if (id.is_number()) return kMask;
  if (!id.is_string() || id.get_ref<const std::string&>().starts_with("${")) return id;
  std::string out;
  for (const char c : id.get_ref<const std::string&>()) {
    if (!is_digit(c)) {
      out += c;
    } else if (!out.ends_with(kMask)) {
      out += kMask;
    }
  }
  return out;
}

// A port behind its host, a process before its start: digits that a colon joins to something.
bool is_address(std::string_view text, std::size_t at, std::size_t end) {
  constexpr std::size_t shortest = 4;
  const std::string_view word = text.substr(at, end - at);
  if (word.size() < shortest || !std::all_of(word.begin(), word.end(), is_digit)) return false;
  const std::string_view before = text.substr(0, at);
  if (before.ends_with("port ") || before.ends_with("port=")) return true;
  return (at > 0 && (text[at - 1] == ':' || text[at - 1] == '[')) || (end < text.size() && text[end] == ':');
}

// The length of "12.5", "2026-11-22T02:06:22.612Z", "12:00:01" where it is a time or a measure.
std::size_t length_of_measure(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  const bool clock = end < text.size() && (text[end] == ':' || (end == 4 && text[end] == '-'));
  if (clock) {
    std::size_t stop = end;
    std::size_t marks = 0;
    for (; stop < text.size(); ++stop) {
      const char c = text[stop];
      if (c == ':' || c == '-') ++marks;
      if (!is_digit(c) && std::string_view(":-.TZ+").find(c) == std::string_view::npos) break;
    }
    return marks >= 2 ? stop : 0;
  }
  std::size_t unit = end;
  if (unit < text.size() && text[unit] == ' ') ++unit;
  for (const std::string_view name : {"ms", "µs", "us", "s", "MiB", "KiB", "kB"}) {
    const std::string_view rest = text.substr(unit);
    if (rest.starts_with(name) && (rest.size() == name.size() || !is_alnum(rest[name.size()]))) return end;
  }
  return text.substr(0, end).find('.') != std::string_view::npos && text[end - 1] != '.' ? end : 0;
}

std::string without_measures(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_alnum(text[at])) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_alnum(text[end])) ++end;
    const std::size_t measure = is_digit(text[at]) ? length_of_measure(text.substr(at)) : 0;
    if (measure > 0) {
      out += kMask;
      at += measure;
      continue;
    }
    const std::string_view word = text.substr(at, end - at);
    if (is_id(word) || is_address(text, at, end)) {
      out += kMask;
    } else {
      out += word;
    }
    at = end;
  }
  return out;
}

// Where `value` stands in the text by itself: a number not inside another number.
std::size_t find_value(const std::string& text, const std::string& value, std::size_t from) {
  const bool numeric = std::all_of(value.begin(), value.end(), is_digit);
  for (std::size_t at = text.find(value, from); at != std::string::npos; at = text.find(value, at + 1)) {
    const std::size_t end = at + value.size();
    const bool inside = (at > 0 && is_digit(text[at - 1])) || (end < text.size() && is_digit(text[end]));
    if (!numeric || !inside) return at;
  }
  return std::string::npos;
}

}  // namespace

PlainNames::PlainNames(const History& history) {
  for (const auto& event : history.events) {
    if (event.kind == "run.begin") {
      add("run_id", event.fields.value("run_id", Json()));
      const Json variables = event.fields.value("variables", Json::object());
      for (const auto& [name, value] : variables.items()) add(name, value);
    }
    if (event.kind == "capture") {
      add(text_of(event.fields, "name"), event.fields.value("value", Json()));
    }
    if (event.kind == "daemon.start") {
      add(fmt::format("pid of instance {}", integer_of(event.fields, "instance")),
          event.fields.value("pid", Json()));
    }
  }
  std::stable_sort(names_.begin(), names_.end(), [](const auto& one, const auto& other) {
    return one.first.size() > other.first.size();
  });
}

void PlainNames::add(const std::string& name, const Json& value) {
  if (!value.is_string() && !value.is_number_integer()) return;
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  // A captured word, a state, is what is to be compared; what is made anew for each run has digits.
  const bool made = std::any_of(text.begin(), text.end(), is_digit);
  if (text.size() < shortest_inside || !made) return;
  names_.emplace_back(text, "${" + name + "}");
}

std::string PlainNames::text(std::string_view given) const {
  std::string text(given);
  for (const auto& [value, name] : names_) {
    for (std::size_t at = find_value(text, value, 0); at != std::string::npos;
         at = find_value(text, value, at + name.size())) {
      text.replace(at, value.size(), name);
    }
  }
  return without_measures(text);
}

Json PlainNames::number(const Json& number) const {
  if (!number.is_number_integer()) return kMask;
  const std::string text = number.dump();
  for (const auto& [value, name] : names_) {
    if (value == text) return name;
  }
  return number.get<std::int64_t>() >= looks_like_a_time ? Json(kMask) : number;
}

Json PlainNames::document(const Json& document) const {
  if (document.is_string()) return text(document.get_ref<const std::string&>());
  if (document.is_number()) return number(document);
  if (document.is_array()) {
    Json out = Json::array();
    for (const auto& item : document) out.push_back(this->document(item));
    // Lists come in the order of ids that are made anew each time.
    const bool objects = std::all_of(out.begin(), out.end(), [](const Json& item) { return item.is_object(); });
    if (objects) {
      std::stable_sort(out.begin(), out.end(),
                       [](const Json& one, const Json& other) { return one.dump() < other.dump(); });
    }
    return out;
  }
  if (!document.is_object()) return document;
  Json out = Json::object();
  for (const auto& [key, value] : document.items()) {
    const bool measure = is_measure(key) && !value.is_structured() && !value.is_null();
    Json plain = measure ? Json(kMask) : this->document(value);
    if (key.ends_with("id")) plain = without_count(plain);
    out[text(key)] = std::move(plain);
  }
  return out;
}

}  // namespace harness

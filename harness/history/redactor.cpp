// Takes secrets out of text and of JSON before either reaches a file (rule 11).
#include <algorithm>
#include <cctype>
#include <mutex>

#include "harness/base/read_json.h"
#include "harness/history/recorder.h"

namespace harness {
namespace {

constexpr std::string_view kMark = "[redacted]";

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_secret_header(std::string_view lowered) {
  return lowered == "authorization" || lowered == "proxy-authorization" || lowered == "cookie" ||
         lowered == "set-cookie";
}

// API_KEY, api-key, apiKey, TOKEN, db_password; not a plain "key" (the field that names one object
// in a snapshot), nor "monkey".
bool is_secret_name(std::string_view name) {
  const std::string low = lower(name);
  if (is_secret_header(low) || low.ends_with("token") || low.ends_with("password")) return true;
  if (!low.ends_with("key")) return false;
  if (name.ends_with("KEY")) return true;
  return low.ends_with("_key") || low.ends_with("-key") || name.ends_with("Key") ||
         low.ends_with("apikey");
}

// Where the value that starts at `at` ends. A header's runs to the end of its line or quotation.
std::size_t value_end(std::string_view text, std::size_t at, char quote, bool header) {
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n' || c == '\r') return at;
    if (quote != 0) {
      if (c == '\\' && at + 1 < text.size()) {
        ++at;
        continue;
      }
      if (c == quote) return at;
    } else if (header ? (c == '"' || c == '\'')
                      : (std::isspace(static_cast<unsigned char>(c)) != 0 ||
                         std::string_view("\"',;&)}]").find(c) != std::string_view::npos)) {
      return at;
    }
  }
  return at;
}

// After a name: skips a closing quote, blanks, "=" or ":", blanks. Returns npos where none follows.
std::size_t after_assignment(std::string_view text, std::size_t at) {
  const auto skip_blanks = [&] {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  };
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
  skip_blanks();
  if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return std::string_view::npos;
  ++at;
  skip_blanks();
  return at;
}

std::string without_named_values(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_word(text[at])) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::string_view name = text.substr(at, end - at);
    out += name;
    at = end;
    if (!is_secret_name(name)) continue;
    std::size_t value = after_assignment(text, end);
    if (value == std::string_view::npos) continue;
    char quote = 0;
    if (value < text.size() && (text[value] == '"' || text[value] == '\'')) quote = text[value++];
    const std::size_t stop = value_end(text, value, quote, is_secret_header(lower(name)));
    out += text.substr(end, value - end);
    if (stop > value) out += kMark;
    at = stop;
  }
  return out;
}

void replace_all(std::string& text, const std::string& what) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + kMark.size())) {
    text.replace(at, what.size(), kMark);
  }
}

}  // namespace

struct Redactor::Secrets {
  mutable std::mutex mutex;
  std::vector<std::string> values;  // longest first: a secret inside another hides neither
};

Redactor::Redactor() : secrets_(std::make_shared<Secrets>()) {}

void Redactor::add_secret(std::string value) {
  if (value.empty()) return;
  std::string quoted =
      Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);  // as JSON text holds it
  quoted = quoted.substr(1, quoted.size() - 2);
  std::lock_guard lock(secrets_->mutex);
  auto& values = secrets_->values;
  for (auto& form : {value, quoted}) {
    if (std::find(values.begin(), values.end(), form) == values.end()) values.push_back(form);
  }
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Redactor::text(std::string_view input) const {
  std::string out(input);
  {
    std::lock_guard lock(secrets_->mutex);
    for (const auto& secret : secrets_->values) replace_all(out, secret);
  }
  return without_named_values(out);
}

Json Redactor::json(const Json& input) const {
  if (input.is_string()) return text(input.get_ref<const std::string&>());
  if (input.is_array()) {
    Json out = Json::array();
    for (const auto& item : input) out.push_back(json(item));
    return out;
  }
  if (!input.is_object()) return input;
  Json out = Json::object();
  for (const auto& [key, value] : input.items()) {
    const bool hide =
        is_secret_name(key) && value.is_string() && !value.get_ref<const std::string&>().empty();
    std::string clean = text(key);
    Json shown = hide ? Json(kMark) : json(value);
    // Two keys are equal only where a secret was taken out of one: looking for it costs the square.
    if (clean != key) {
      out[clean] = std::move(shown);
    } else {
      append_member(out, std::move(clean), std::move(shown));
    }
  }
  return out;
}

}  // namespace harness

// Secrets of a scenario (rule 11): which values they are, and its text without them.
#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <utility>

#include "harness/scenario/names.h"
#include "harness/scenario/scenario.h"

namespace harness {
namespace {

struct Secret {
  std::string value;
  int line = 1;
  int column = 1;    // of what holds it; in characters
  std::string name = {};  // of a variable: it stands behind this, on that line
};

std::string uppercase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

bool ends_secretly(const std::string& upper) {
  return upper.ends_with("TOKEN") || upper.ends_with("PASSWORD") || upper.ends_with("SECRET");
}

// As a key in a step; a plain `key` names many things that are none.
bool is_secret_key(const std::string& key) {
  constexpr std::array headers = {"AUTHORIZATION", "PROXY-AUTHORIZATION", "COOKIE", "SET-COOKIE"};
  const std::string upper = uppercase(key);
  if (std::find(headers.begin(), headers.end(), upper) != headers.end()) return true;
  if (ends_secretly(upper)) return true;
  return key.size() > 3 && (key.ends_with("KEY") || key.ends_with("Key") || key.ends_with("_key") ||
                            key.ends_with("-key") || upper.ends_with("APIKEY"));
}

// `API_TOKEN=value` and `Authorization: value` inside a command.
void collect_secrets_in(const Node& text, std::vector<Secret>& secrets) {
  static const std::regex assigned(
      R"re((?:[A-Za-z0-9_]*(?:KEY|TOKEN|PASSWORD|SECRET)=|(?:Authorization|Cookie):[ ]*))re"
      R"re(([^\s'";&|$][^\s'";&|]*)(?:[ ]([^\s'";&|]+))?)re");
  for (std::sregex_iterator found(text.text.begin(), text.text.end(), assigned), end; found != end;
       ++found) {
    for (const std::size_t group : {1, 2}) {
      const bool header = (*found)[0].str().find('=') == std::string::npos;
      if (!(*found)[group].matched || (group == 2 && !header)) continue;
      if (group == 1 && header && (*found)[2].matched) continue;  // "Bearer"
      const std::string value = (*found)[group].str();
      if (references_in(value).empty()) secrets.push_back({value, text.span.line, text.span.column});
    }
  }
}

void collect_secrets(const Node& node, std::vector<Secret>& secrets) {
  constexpr std::size_t most = 4096;  // std::regex recurses by length
  if (node.is_scalar() && node.text.size() <= most) collect_secrets_in(node, secrets);
  for (const auto& item : node.items) collect_secrets(item, secrets);
  for (const auto& entry : node.entries) {
    const bool fixed = entry.value.is_scalar() && references_in(entry.value.text).empty();
    if (fixed && !entry.value.text.empty() && is_secret_key(entry.key)) {
      secrets.push_back({entry.value.text, entry.value.span.line, entry.value.span.column});
    }
    collect_secrets(entry.value, secrets);
  }
}

void collect_secrets(const std::vector<Step>& steps, std::vector<Secret>& secrets) {
  for (const auto& step : steps) {
    collect_secrets(step.arguments, secrets);
    collect_secrets(step.children, secrets);
  }
}

std::vector<Secret> secrets_of_steps(const Scenario& scenario) {
  std::vector<Secret> secrets;
  collect_secrets(scenario.steps, secrets);
  collect_secrets(scenario.finally_steps, secrets);
  return secrets;
}

constexpr std::string_view stand_in = "redacted";

// Where in the text to look for a secret: not before what holds it, or a short one would be found in
// a key, and itself stay.
std::size_t place_of(const std::string& text, const Secret& secret) {
  std::size_t at = 0;
  for (int line = 1; line < secret.line && at != std::string::npos; ++line) {
    at = text.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  if (at == std::string::npos) return 0;
  const std::size_t end = std::min(text.find('\n', at), text.size());
  if (!secret.name.empty()) {
    const std::size_t name = text.find(secret.name, at);
    if (name >= end) return at;
    at = name + secret.name.size();
    const std::size_t next = text.find_first_not_of("\"': {", at);
    constexpr std::string_view word = "secret:";
    return next < end && text.compare(next, word.size(), word) == 0 ? next + word.size() : at;
  }
  for (int column = 1; column < secret.column && at < end; ++column) {
    do ++at;
    while (at < end && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  }
  return at;
}

// The first occurrence from there on; a value of several lines line by line.
void hide(std::string& text, const Secret& secret) {
  std::size_t at = place_of(text, secret);
  std::size_t begin = 0;
  while (begin <= secret.value.size()) {
    const std::size_t end = std::min(secret.value.find('\n', begin), secret.value.size());
    const std::string part = secret.value.substr(begin, end - begin);
    const std::size_t found = part.empty() ? std::string::npos : text.find(part, at);
    if (found != std::string::npos) {
      text.replace(found, part.size(), stand_in);
      at = found + stand_in.size();
    }
    begin = end + 1;
  }
}

}  // namespace

bool Scenario::is_secret(const std::string& variable) const {
  const std::string upper = uppercase(variable);
  return secrets.contains(variable) || upper.ends_with("KEY") || ends_secretly(upper);
}

std::vector<std::string> secret_values(const Scenario& scenario,
                                       const std::map<std::string, std::string>& settings) {
  std::vector<std::string> values;
  for (const auto* variables : {&scenario.variables, &settings}) {
    for (const auto& [name, value] : *variables) {
      if (scenario.is_secret(name) && !value.empty()) values.push_back(value);
    }
  }
  for (const auto& [name, place] : scenario.written) {
    if (scenario.is_secret(name) && !place.second.empty() && place.second != stand_in) {
      values.push_back(place.second);
    }
  }
  for (auto& secret : secrets_of_steps(scenario)) {
    if (secret.value != stand_in) values.push_back(std::move(secret.value));
  }
  return values;
}

std::string text_without_secrets(const Scenario& scenario) {
  std::string text = scenario.text;
  std::vector<Secret> secrets = secrets_of_steps(scenario);
  for (const auto& [name, place] : scenario.written) {
    if (scenario.is_secret(name)) secrets.push_back({place.second, place.first, 1, name});
  }
  // From the end: what stands before keeps its place.
  std::stable_sort(secrets.begin(), secrets.end(), [](const Secret& one, const Secret& other) {
    return std::pair(one.line, one.column) > std::pair(other.line, other.column);
  });
  for (const auto& secret : secrets) hide(text, secret);
  return text;
}
}  // namespace harness

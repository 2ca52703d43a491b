#include "daemon/units/match.h"

#include <algorithm>
#include <cctype>

namespace aima {
namespace {
std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool satisfies(const Json& needed, const Json& has) {
  if (needed.is_array())
    return needed.empty() || std::any_of(needed.begin(), needed.end(), [&](const Json& choice) {
             return satisfies(choice, has);
           });
  if (has.is_array())
    return std::any_of(has.begin(), has.end(),
                       [&](const Json& one) { return satisfies(needed, one); });
  if (needed.is_number() && has.is_number()) return has.get<double>() >= needed.get<double>();
  if (needed.is_string() && has.is_string())
    return lower(needed.get<std::string>()) == lower(has.get<std::string>());
  if (needed.is_object() && has.is_object()) {
    for (const auto& [key, value] : needed.items())
      if (!has.contains(key) || !satisfies(value, has[key])) return false;
    return true;
  }
  return needed == has;
}

bool holds(const Json& skill, const char* field, const std::string& word) {
  const auto value = skill.find(field);
  return value != skill.end() && value->is_string() &&
         lower(value->get<std::string>()).find(word) != std::string::npos;
}

int keyword_score(const Json& skill, const std::string& word) {
  int best = 0;
  const auto keywords = skill.find("keywords");
  if (keywords == skill.end() || !keywords->is_array()) return 0;
  for (const auto& keyword : *keywords) {
    if (!keyword.is_string()) continue;
    const std::string text = lower(keyword.get<std::string>());
    if (text == word) return 12;
    if (text.find(word) != std::string::npos) best = 6;
  }
  return best;
}
}  // namespace

Match match_hardware(const Json& required, const Json& machine) {
  Match match;
  if (!required.is_object()) return match;
  for (const auto& [key, needed] : required.items()) {
    const auto has = machine.find(key);
    if (has == machine.end() || has->is_null())
      match.unknown.push_back(key);
    else if (satisfies(needed, *has))
      match.matched.push_back(key);
    else
      match.contradicted.push_back(key);
  }
  match.fits = match.contradicted.empty();
  match.score = match.fits ? (1.0 + static_cast<double>(match.matched.size())) /
                                 (1.0 + static_cast<double>(required.size()))
                           : 0.0;
  return match;
}

std::vector<std::string> search_words(const std::string& query) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : lower(query) + ' ') {
    // Bytes above 127 belong to letters of other scripts.
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ||
        static_cast<unsigned char>(c) >= 128) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

int search_score(const Json& skill, const std::vector<std::string>& words) {
  int score = 0;
  for (const auto& word : words) {
    const int here = (holds(skill, "name", word) ? 8 : 0) + keyword_score(skill, word) +
                     (holds(skill, "description", word) ? 3 : 0) +
                     (holds(skill, "category", word) ? 2 : 0) +
                     (holds(skill, "content", word) ? 1 : 0);
    if (here == 0) return 0;
    score += here;
  }
  return score;
}
}  // namespace aima

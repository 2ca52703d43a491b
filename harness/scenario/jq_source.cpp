// See jq_source.h: the definitions that make libjq pure and strict, and its messages.
#include "harness/scenario/jq_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "harness/scenario/expression_text.h"

namespace harness {
namespace {

// One line, so that line 2 of the program is line 1 of the first expression.
//  - all and any over nothing are errors: `all` of nothing is true, which would prove nothing.
//  - __at is strict look-up: an absent key is an error (expression_text.h).
//  - What reaches outside is refused by read_expression already; this is the second lock.
const std::string& prelude() {
  static const std::string text = [] {
    std::string defs =
        "def __none: error(\"" + std::string(nothing_judged) + "\"); "
        "def __nothing: (type == \"array\" or type == \"object\") and length == 0; "
        "def __all0: all; def __all1(f): all(f); def __all2(g; c): all(g; c); "
        "def __any0: any; def __any1(f): any(f); def __any2(g; c): any(g; c); "
        "def all: if __nothing then __none else __all0 end; "
        "def all(f): if __nothing then __none else __all1(f) end; "
        "def all(g; c): if isempty(g) then __none else __all2(g; c) end; "
        "def any: if __nothing then __none else __any0 end; "
        "def any(f): if __nothing then __none else __any1(f) end; "
        "def any(g; c): if isempty(g) then __none else __any2(g; c) end; "
        "def __at($path): reduce $path[] as $key (.; "
        "if . == null or (type == \"object\" and ($key | type) == \"string\" and (has($key) | not)) "
        "or (type == \"array\" and ($key | type) == \"number\" and (has($key) | not)) "
        "then error(\"not in the document: \" + ($path | tojson)) else .[$key] end); ";
    for (const char* name : {"now", "env", "input", "inputs", "debug", "stderr", "input_filename",
                             "input_line_number", "halt", "halt_error", "localtime", "mktime",
                             "strflocaltime", "get_search_list", "modulemeta"}) {
      defs += fmt::format("def {}: error(\"refused: {}\"); ", name, name);
    }
    return defs + ". as {$__k, $__doc, $__vars} | {} as $ENV | $__doc | ";
  }();
  return text;
}

std::vector<std::string> variables_of(const std::string& text) {
  std::vector<std::string> names;
  for (const auto& use : read_expression(text).variables) {
    if (std::find(names.begin(), names.end(), use.name) == names.end()) names.push_back(use.name);
  }
  return names;
}

std::string cleaned(std::string message) {
  for (const std::string_view noise :
       {"jq: error: ", " (Unix shell quoting issues?)", "syntax error, "}) {
    if (auto at = message.find(noise); at != std::string::npos) message.erase(at, noise.size());
  }
  static const std::vector<std::pair<std::string_view, std::string_view>> words{
      {"$end", "the end"},           {"INVALID_CHARACTER", "character"},
      {"QQSTRING_TEXT", "text"},     {"QQSTRING_INTERP_START", "\\("},
      {"QQSTRING_END", "\""},        {"QQSTRING_START", "a string"},
      {"IDENT", "name"},             {"LITERAL", "number"},
      {"FIELD", ".name"},            {"FORMAT", "@format"}};
  for (const auto& [from, to] : words) {
    if (auto at = message.find(from); at != std::string::npos) message.replace(at, from.size(), to);
  }
  return message;
}

// "jq: error: TEXT at <top-level>, line N:\nLINE" and as many spaces as the error is from the line's
// begin (jq 1.6, locfile_locate): the column is in there after all.
bool read_message(const std::string& raw, const std::vector<std::string_view>& lines,
                  CompileProblem& problem) {
  constexpr std::string_view marker = " at <top-level>, line ";
  const auto at = raw.rfind(marker);
  if (at == std::string::npos) return false;
  problem.line = std::atoi(raw.c_str() + at + marker.size());
  problem.message = cleaned(raw.substr(0, at));
  const auto snippet = raw.find('\n', at);
  if (snippet == std::string::npos || problem.line < 1 ||
      static_cast<std::size_t>(problem.line) > lines.size()) {
    return true;
  }
  const auto line = lines[static_cast<std::size_t>(problem.line - 1)];
  const std::string_view shown = std::string_view(raw).substr(snippet + 1);
  if (shown.size() >= line.size() && shown.starts_with(line)) {
    problem.column = static_cast<int>(shown.size() - line.size()) + 1;
  }
  return true;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    auto end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Turns a place in the program into one in an expression. An error behind the last line of an
// expression is about its end.
void locate(CompileProblem& problem, const JqSource& source, const std::vector<std::string>& texts) {
  std::size_t which = 0;
  while (which + 1 < texts.size() && source.first_line[which + 1] <= problem.line) ++which;
  problem.expression = which;
  problem.line -= source.first_line[which] - 1;
  const auto lines = split_lines(texts[which]);
  if (problem.line < 1) problem.line = problem.column = 1;
  if (static_cast<std::size_t>(problem.line) > lines.size()) {
    problem.line = static_cast<int>(lines.size());
    problem.column = static_cast<int>(lines.back().size()) + 1;
    if (problem.message == "unexpected ')'") problem.message = "unexpected end of the expression";
  }
}

}  // namespace

// What an expression is wrapped in costs no line before its text and one behind it (a comment at
// its end must not swallow the parenthesis).
JqSource write_jq_source(const std::vector<std::string>& texts) {
  JqSource source;
  source.text = prelude();
  int line = 1;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    source.text += fmt::format("{} $__k == {} then ", i == 0 ? "if" : "elif", i);
    for (const auto& name : variables_of(texts[i]))
      source.text += fmt::format("$__vars.{0} as ${0} | ", name);
    source.text += "(\n";
    source.first_line.push_back(++line);
    source.text += texts[i] + "\n) ";
    line += static_cast<int>(std::count(texts[i].begin(), texts[i].end(), '\n')) + 1;
  }
  source.text += "else empty end";
  return source;
}

void read_jq_messages(const std::vector<std::string>& messages, const JqSource& source,
                      const std::vector<std::string>& texts, std::vector<CompileProblem>& problems) {
  const auto lines = split_lines(source.text);
  for (const auto& message : messages) {
    CompileProblem problem;
    if (!read_message(message, lines, problem)) continue;
    locate(problem, source, texts);
    // libjq's second word on the same error.
    if (problem.message.starts_with("Possibly unterminated") && !problems.empty()) {
      problems.back().message += "; an `if`, `reduce` or `try` may lack its end";
      continue;
    }
    problems.push_back(std::move(problem));
  }
  if (problems.empty()) {
    problems.push_back({0, 1, 1, messages.empty() ? "libjq refuses it without a word"
                                                         : cleaned(messages.front())});
  }
}
}  // namespace harness

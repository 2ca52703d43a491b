// What outputs mean: expect passes on exactly one `true`, capture takes exactly one value.
#include "harness/scenario/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "harness/base/suggest.h"
#include "harness/scenario/expression_text.h"
#include "harness/scenario/jq_program.h"
#include "harness/scenario/text_lines.h"

namespace harness {
namespace {

constexpr Milliseconds time_limit{2000};
constexpr std::size_t outputs_limit = 100'000;
constexpr std::size_t most_in_one_program = 200;

std::string shortened(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) {
    std::size_t end = 77;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  return text;
}

bool is_missing(const Json& document, const DocumentPath& path) {
  const Json* at = &document;
  for (const auto& step : path.steps) {
    if (at->is_null()) return true;
    if (const auto* key = std::get_if<std::string>(&step)) {
      if (!at->is_object()) return false;  // jq says what is wrong by itself
      const auto found = at->find(*key);
      if (found == at->end()) return true;
      at = &*found;
    } else {
      if (!at->is_array()) return false;
      const auto index = std::get<std::size_t>(step);
      if (index >= at->size()) return true;
      at = &(*at)[index];
    }
  }
  return false;
}

const DocumentPath* first_missing(const Json& document, const ExpressionText& text) {
  for (const auto& path : text.paths) {
    if (!path.guarded && is_missing(document, path)) return &path;
  }
  return nullptr;
}

Evaluation inconclusive(std::string detail) { return {Truth::inconclusive, std::move(detail)}; }

// Where byte `column` of line `line` of an expression stands in the file.
Span place_in(const Expression& expression, int line, int column) {
  if (expression.begin.line == 0) return expression.span;
  const TextLines lines(expression.text);
  Span place = expression.begin;
  if (line > 1) place.column = expression.further_column;
  place.line += line - 1;
  place.column += column_of(lines.line(line), static_cast<std::size_t>(std::max(1, column) - 1)) - 1;
  return place;
}

// "did you mean" for jq's own words.
std::string suggest_function(const std::string& message) {
  static const std::vector<std::string> words{
      "add",        "all",       "any",        "arrays",      "ascii_downcase", "ascii_upcase",
      "booleans",   "ceil",      "contains",   "del",         "empty",          "endswith",
      "error",      "explode",   "first",      "flatten",     "floor",          "from_entries",
      "fromjson",   "getpath",   "group_by",   "gsub",        "has",            "implode",
      "in",         "index",     "indices",    "inside",      "isempty",        "join",
      "keys",       "last",      "length",     "limit",       "ltrimstr",       "map",
      "map_values", "match",     "max",        "max_by",      "min",            "min_by",
      "not",        "nth",       "numbers",    "objects",     "paths",          "range",
      "recurse",    "reverse",   "rtrimstr",   "scan",        "select",         "sort",
      "sort_by",    "split",     "splits",     "startswith",  "strings",        "sub",
      "test",       "to_entries", "tojson",    "tonumber",    "tostring",       "type",
      "unique",     "unique_by", "until",      "values",      "with_entries"};
  const auto slash = message.find("/");
  if (slash == std::string::npos || message.find("is not defined") == std::string::npos) return "";
  const std::string name = message.substr(0, slash);
  if (std::find(words.begin(), words.end(), name) != words.end()) {
    return fmt::format("`{}` exists, but not with this number of arguments", name);
  }
  const auto near = nearest(name, words);
  return near ? fmt::format("did you mean `{}`?", *near) : "";
}
}  // namespace

struct Expressions::State {
  struct Known {
    ExpressionText read;
    JqProgram* program = nullptr;
    std::size_t index = 0;
    std::string problem;  // why it cannot be evaluated
    std::string strict;   // compiled when first doubted
  };
  std::vector<std::unique_ptr<JqProgram>> programs;
  std::map<std::string, Known> known;

  void adopt(std::unique_ptr<JqProgram> program) {
    for (std::size_t i = 0; i < program->texts().size(); ++i) {
      Known& entry = known[program->texts()[i]];
      entry.read = read_expression(program->texts()[i]);
      entry.program = program.get();
      entry.index = i;
      entry.problem.clear();
    }
    programs.push_back(std::move(program));
  }

  // Compiles what is not known yet; texts that libjq refuses are left out and tried without.
  void compile(std::vector<std::string> texts, std::vector<CompileProblem>& problems,
               std::vector<std::string>& problem_texts) {
    while (!texts.empty()) {
      std::vector<CompileProblem> found;
      if (auto program = JqProgram::compile(texts, found)) {
        adopt(std::move(program));
        return;
      }
      if (found.size() == 1 && found.front().gave_up && texts.size() > 1) {
        // Which of them it was is found by compiling each by itself.
        for (auto& text : texts) compile({std::move(text)}, problems, problem_texts);
        return;
      }
      std::vector<bool> bad(texts.size(), false);
      for (auto& problem : found) {
        bad.at(problem.expression) = true;
        known[texts[problem.expression]].problem = problem.message;
        problem_texts.push_back(texts[problem.expression]);
        problems.push_back(std::move(problem));
      }
      std::vector<std::string> rest;
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (!bad[i]) rest.push_back(std::move(texts[i]));
      }
      texts = std::move(rest);
    }
  }

  // For one that was not prepared.
  Known& get(const std::string& text, bool ours = false) {
    auto found = known.find(text);
    if (found != known.end() && (found->second.program != nullptr || !found->second.problem.empty())) {
      return found->second;
    }
    if (auto program = take_program_with(text)) {
      adopt(std::move(program));
      return known[text];
    }
    Known& entry = known[text];
    entry.read = read_expression(text);
    if (!ours && !entry.read.problems.empty()) {
      entry.problem = entry.read.problems.front().message;
      return entry;
    }
    std::vector<CompileProblem> problems;
    std::vector<std::string> texts;
    compile({text}, problems, texts);
    return known[text];
  }

  JqRun run(Known& entry, const Json& document, const Json& bindings, std::size_t most) {
    if (!entry.problem.empty()) return {{}, "the expression is wrong: " + entry.problem, false};
    for (const auto& use : entry.read.variables) {
      const bool bound = bindings.is_object() && bindings.contains(use.name);
      const auto& local = entry.read.local;
      if (!bound && std::find(local.begin(), local.end(), use.name) == local.end()) {
        return {{}, fmt::format("${} has no value here", use.name), false};
      }
    }
    return entry.program->run(entry.index, document, bindings, most, time_limit);
  }
};

Expressions::Expressions() : state_(std::make_unique<State>()) {}
Expressions::Expressions(Expressions&&) noexcept = default;
Expressions::~Expressions() {
  if (!state_) return;
  for (auto& program : state_->programs) give_back(std::move(program));
}

std::vector<Diagnostic> Expressions::prepare(const std::vector<Expression>& expressions,
                                             const std::vector<std::string>& along) {
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> missing;
  for (const auto& expression : expressions) {
    const std::string& text = expression.text;
    if (state_->known.contains(text) && state_->known[text].program != nullptr) continue;
    ExpressionText read = read_expression(text);
    for (const auto& problem : read.problems) {
      const auto before = std::string_view(text).substr(0, problem.offset);
      const auto line_begin = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
      const int line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
      diagnostics.push_back({place_in(expression, line, static_cast<int>(problem.offset - line_begin) + 1),
                             "jq: " + problem.message, problem.hint});
    }
    if (!read.problems.empty()) {
      state_->known[text].problem = read.problems.front().message;
      continue;
    }
    if (auto program = take_program_with(text)) {
      state_->adopt(std::move(program));
    } else if (std::find(missing.begin(), missing.end(), text) == missing.end()) {
      missing.push_back(text);
    }
  }
  for (const auto& text : along) {
    const bool there = state_->known.contains(text) ||
                       std::find(missing.begin(), missing.end(), text) != missing.end();
    if (!there && read_expression(text).problems.empty()) missing.push_back(text);
  }
  std::vector<CompileProblem> problems;
  std::vector<std::string> texts;
  for (std::size_t begin = 0; begin < missing.size(); begin += most_in_one_program) {
    const auto end = std::min(missing.size(), begin + most_in_one_program);
    state_->compile({missing.begin() + begin, missing.begin() + end}, problems, texts);
  }
  for (std::size_t i = 0; i < problems.size(); ++i) {
    for (const auto& expression : expressions) {
      if (expression.text != texts[i]) continue;
      diagnostics.push_back({place_in(expression, problems[i].line, problems[i].column),
                             "jq: " + problems[i].message, suggest_function(problems[i].message)});
    }
  }
  return diagnostics;
}

Evaluation Expressions::expect(const Expression& expression, const Json& document,
                               const Json& bindings) {
  State::Known& entry = state_->get(expression.text);
  const ExpressionText read = entry.read;
  if (document.is_null() && read.looks_at_document && entry.problem.empty()) {
    return inconclusive("there is no document to judge (null)");
  }
  const JqRun run = state_->run(entry, document, bindings, 2);
  if (run.empty_list) return inconclusive("empty list: " + run.error);
  if (!run.error.empty()) return inconclusive("jq: " + run.error);
  if (run.outputs.empty()) return inconclusive("no output");
  if (run.outputs.size() > 1) return inconclusive("several outputs; exactly one is needed");
  const Json& output = run.outputs.front();
  if (!output.is_boolean()) {
    return inconclusive(fmt::format("the output is {}, neither true nor false", shortened(output)));
  }
  const bool empty_list = document.is_array() && document.empty() && read.looks_at_document;
  const DocumentPath* missing = first_missing(document, read);
  if (!output.get<bool>()) {
    std::string note = missing ? fmt::format(" (the document has no {})", to_string(*missing)) : "";
    return {Truth::fail, "false" + note};
  }
  if (empty_list && !read.asks_for_emptiness) {
    return inconclusive("empty list: true of nothing; write `length == 0` if that is meant");
  }
  if (missing != nullptr) {
    // Doubted: is it true because a key is not there? Asked again with look-ups that insist.
    if (entry.strict.empty()) entry.strict = strict_expression(expression.text, read);
    const JqRun strict = state_->run(state_->get(entry.strict, true), document, bindings, 2);
    if (!strict.error.empty() || strict.outputs.size() != 1 || strict.outputs.front() != Json(true)) {
      return inconclusive(fmt::format(
          "true only because the document has no {0}; to test for absence write `has(…) | not`, "
          "`{0}?` or `{0} // default`", to_string(*missing)));
    }
  }
  for (const auto& name : read.compared) {
    const auto bound = bindings.find(name);
    if (bound == bindings.end() || !bound->is_structured() || !bound->empty()) continue;
    return inconclusive(fmt::format("`${0}` is empty: nothing was there to be found again; write "
                                    "`${0} == {1}` too if that is meant",
                                    name, bound->is_array() ? "[]" : "{}"));
  }
  return {Truth::pass, "true"};
}

Result<Json> Expressions::capture(const Expression& expression, const Json& document,
                                  const Json& bindings) {
  JqRun run = state_->run(state_->get(expression.text), document, bindings, 2);
  const auto refuse = [&](const std::string& found) {
    return fail(ErrorKind::subject, fmt::format("`{}` must give exactly one value; {}",
                                                expression.text, found), expression.span);
  };
  if (!run.error.empty()) return refuse("jq: " + run.error);
  if (run.outputs.empty()) return refuse("it gave none");
  if (run.outputs.size() > 1) {
    return refuse(fmt::format("it gave several, the first {}", shortened(run.outputs.front())));
  }
  if (run.outputs.front().is_null()) return refuse("it gave null");
  return std::move(run.outputs.front());
}

Result<std::vector<Json>> Expressions::outputs(const Expression& expression, const Json& document,
                                               const Json& bindings) {
  JqRun run = state_->run(state_->get(expression.text), document, bindings, outputs_limit);
  if (!run.error.empty()) {
    return fail(ErrorKind::subject, fmt::format("`{}`: jq: {}", expression.text, run.error),
                expression.span);
  }
  return std::move(run.outputs);
}
}  // namespace harness

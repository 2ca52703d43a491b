// The top level of a scenario file.
#include "harness/scenario/scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/suggest.h"
#include "harness/scenario/expression.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario_reader.h"

namespace harness {
namespace {

const std::vector<std::string>& top_keys() {
  static const std::vector<std::string> keys{"scenario", "title",   "source",   "tier",
                                             "story",    "target",  "needs",    "timeout",
                                             "criteria", "vars",    "steps",    "finally",
                                             "prove"};
  return keys;
}

bool is_file_word(const std::string& text) {
  return !text.empty() && text.size() <= 80 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}
}  // namespace

const Criterion* Scenario::criterion(const std::string& id) const {
  for (const auto& one : criteria) {
    if (one.id == id) return &one;
  }
  return nullptr;
}

ScenarioReader::ScenarioReader(const std::string& text, const std::string& file,
                               const StepCatalog& catalog, const std::vector<std::string>& given)
    : lines_(std::string_view(text).starts_with("\xEF\xBB\xBF") ? std::string_view(text).substr(3)
                                                                : std::string_view(text)),
      catalog_(catalog),
      known_(given.begin(), given.end()) {
  scenario.file = file;
  scenario.text = text;
}

void ScenarioReader::note(const Span& where, std::string message, std::string hint) {
  problems.push_back({where, std::move(message), std::move(hint)});
}

void ScenarioReader::unknown(const Span& where, std::string_view what, const std::string& word,
                             const std::vector<std::string>& known, std::string_view of) {
  std::string hint;
  if (auto near = nearest(word, known)) {
    hint = fmt::format("did you mean `{}`?", *near);
  } else if (!known.empty() && known.size() <= 16) {
    hint = "known here: " + fmt::format("{}", fmt::join(known, ", "));
  }
  const std::string whose = of.empty() ? "" : fmt::format(" of `{}`", of);
  note(where, fmt::format("unknown {} `{}`{}", what, word, whose), std::move(hint));
}

std::string ScenarioReader::text_of(const Node& node, std::string_view key) {
  if (node.is_scalar()) return trimmed(node.text);
  note(node.span, fmt::format("`{}` must be a text", key));
  return "";
}

std::vector<std::string> ScenarioReader::texts_of(const Node& node, std::string_view key) {
  std::vector<std::string> texts;
  if (node.is_scalar()) return {trimmed(node.text)};
  if (!node.is_list()) {
    note(node.span, fmt::format("`{}` must be a list of texts: [one, two]", key));
    return texts;
  }
  for (const auto& item : node.items) texts.push_back(text_of(item, key));
  return texts;
}

void ScenarioReader::read(const Node& root) {
  if (!root.is_map()) {
    note(root.span, "a scenario is a map of keys",
         "begin with `scenario: NAME`; `aima-harness new NAME` writes one to start from");
    return;
  }
  read_top(root);
  check_references();
}

void ScenarioReader::read_top(const Node& root) {
  const Node* steps = nullptr;
  const Node* finally_steps = nullptr;
  for (const auto& [key, span, value] : root.entries) {
    if (key == "scenario") {
      scenario.name = text_of(value, key);
      if (value.is_scalar() && !is_file_word(scenario.name)) {
        note(value.span, fmt::format("`{}` cannot name a scenario", scenario.name),
             "letters, digits, - _ and . only: run folders are named after it");
      }
    } else if (key == "title") {
      scenario.title = text_of(value, key);
    } else if (key == "source") {
      scenario.origin = text_of(value, key);
    } else if (key == "tier") {
      scenario.tier = text_of(value, key);
    } else if (key == "story") {
      scenario.story = text_of(value, key);
    } else if (key == "target") {
      scenario.target = text_of(value, key);
    } else if (key == "needs") {
      scenario.needs = texts_of(value, key);
    } else if (key == "timeout") {
      auto duration = parse_duration(text_of(value, key));
      if (duration && duration->count() > 0) {
        scenario.timeout = *duration;
      } else if (value.is_scalar()) {
        note(value.span, duration ? "`timeout` must be longer than 0" : duration.error().message);
      }
    } else if (key == "criteria") {
      read_criteria(value);
    } else if (key == "vars") {
      read_variables(value);
    } else if (key == "prove") {
      read_prove(value);
    } else if (key == "steps") {
      steps = &value;
    } else if (key == "finally") {
      finally_steps = &value;
    } else {
      unknown(span, "key", key, top_keys());
    }
  }
  if (root.find("scenario") == nullptr) {
    note(root.span, "the key `scenario` is missing", "it names the scenario: `scenario: restart-survival`");
  }
  if (root.find("target") == nullptr) {
    note(root.span, "the key `target` is missing", "it names the daemon: `target: aima`");
  }
  if (steps == nullptr) {
    note(root.span, "the key `steps` is missing", "without steps nothing is tried");
  } else {
    scenario.steps = read_steps(*steps, "");
    if (steps->is_list() && steps->items.empty()) note(steps->span, "`steps` is empty");
  }
  if (finally_steps != nullptr) scenario.finally_steps = read_steps(*finally_steps, "f");
}

void ScenarioReader::read_criteria(const Node& node) {
  if (!node.is_map()) {
    note(node.span, "`criteria` must be a map of number and text", "`1: Models survive restart`");
    return;
  }
  for (const auto& entry : node.entries) read_criterion(entry);
}

void ScenarioReader::read_criterion(const NodeEntry& entry) {
  Criterion criterion;
  criterion.id = entry.key;
  criterion.span = entry.key_span;
  if (entry.key == "run") {
    note(entry.key_span, "criterion `run` is the harness's own",
         "it says whether the daemon started, died only as it was made to, and left nothing behind");
    return;
  }
  if (entry.value.is_scalar()) {
    criterion.text = trimmed(entry.value.text);
  } else if (entry.value.is_map()) {
    for (const auto& [key, span, value] : entry.value.entries) {
      if (key == "text") {
        criterion.text = text_of(value, key);
      } else if (key == "expect") {
        criterion.gap = value.is_scalar() && value.text == "gap";
        if (!criterion.gap) note(value.span, "a criterion's `expect` can only be `gap`");
      } else if (key == "containers") {
        criterion.containers = value.is_scalar() && !value.quoted && value.text == "true";
        if (!criterion.containers && !(value.is_scalar() && value.text == "false")) {
          note(value.span, "`containers` must be true or false");
        }
      } else {
        unknown(span, "key", key, {"text", "expect", "containers"});
      }
    }
  }
  if (criterion.text.empty()) {
    note(entry.key_span, fmt::format("criterion `{}` has no text", entry.key),
         "what must hold, in words: `1: Models survive restart`");
  }
  scenario.criteria.push_back(std::move(criterion));
}

void ScenarioReader::read_variables(const Node& node) {
  if (!node.is_map()) {
    if (node.kind != Node::Kind::null) note(node.span, "`vars` must be a map of name and text");
    return;
  }
  for (const auto& [key, span, value] : node.entries) {
    if (!is_identifier(key)) {
      note(span, fmt::format("`{}` cannot be a name", key), "letters, digits and _, not first a digit");
    }
    const Node* secret = value.find("secret");
    const bool hidden = secret != nullptr && secret->is_scalar() && value.entries.size() == 1;
    if ((value.is_list() || value.is_map()) && !hidden) {
      note(value.span, fmt::format("variable `{}` must be a text", key),
           "or {secret: TEXT}, which reaches no file and no report");
      continue;
    }
    const Node& written = hidden ? *secret : value;
    if (hidden) scenario.secrets.insert(key);
    scenario.written[key] = {written.span.line, written.text};
    scenario.variables[key] = written.text;
    known_.insert(key);
  }
}

// `prove: {equivalent: {NAME[:DETAIL[@STEP]]: reason}}`
void ScenarioReader::read_prove(const Node& node) {
  if (!node.is_map()) {
    note(node.span, "`prove` must be a map", "`prove: {equivalent: {\"drop-row:alerts\": why that is right}}`");
    return;
  }
  for (const auto& [key, span, value] : node.entries) {
    if (key != "equivalent") {
      unknown(span, "key", key, {"equivalent"}, "prove");
      continue;
    }
    if (!value.is_map()) {
      note(value.span, "`equivalent` must be a map of sabotage and reason",
           "`\"drop-row:alerts\": no criterion is about alerts`");
      continue;
    }
    for (const auto& [words, place, reason] : value.entries) {
      const std::string name = words.substr(0, words.find_first_of(":@"));
      const auto& known = catalog_.sabotages();
      if (!known.empty() && std::find(known.begin(), known.end(), name) == known.end()) {
        const auto near = nearest(name, known);
        note(place, fmt::format("unknown sabotage `{}`", name),
             near ? fmt::format("did you mean `{}`?", *near)
                  : "`aima-harness list sabotages` shows what there is");
      }
      const std::string why = reason.is_scalar() ? trimmed(reason.text) : "";
      if (why.empty()) {
        note(reason.span.line > 0 ? reason.span : place, fmt::format("`{}` is marked equivalent without a reason", words),
             "say why nothing here has to notice it");
      }
      scenario.equivalents.push_back({words, why, place});
    }
  }
}

namespace {

void show_lines(std::vector<Step>& steps, const TextLines& lines) {
  for (auto& step : steps) {
    step.source = source_line(lines, step.span.line);
    show_lines(step.children, lines);
  }
}

// A step's line is shown in reports.
void show_without_secrets(Scenario& scenario) {
  const std::string text = text_without_secrets(scenario);
  if (text == scenario.text) return;
  const TextLines lines(text);
  show_lines(scenario.steps, lines);
  show_lines(scenario.finally_steps, lines);
}

}  // namespace

tl::expected<Scenario, std::vector<Diagnostic>> parse_scenario(
    const std::string& text, const std::string& file, const StepCatalog& catalog,
    const std::vector<std::string>& given) {
  YamlReading reading = read_yaml(text, file);
  std::vector<Diagnostic> problems = std::move(reading.problems);
  ScenarioReader reader(text, file, catalog, given);
  if (reading.whole) {
    reader.read(reading.root);
    problems.insert(problems.end(), std::make_move_iterator(reader.problems.begin()),
                    std::make_move_iterator(reader.problems.end()));
  }
  if (problems.empty()) {
    show_without_secrets(reader.scenario);
    return std::move(reader.scenario);
  }
  std::stable_sort(problems.begin(), problems.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
  });
  return tl::unexpected(std::move(problems));
}
}  // namespace harness

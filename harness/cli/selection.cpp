// Finding, reading and checking scenario files.
#include "harness/cli/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "harness/base/pattern.h"
#include "harness/base/read_file.h"
#include "harness/base/suggest.h"
#include "harness/cli/root.h"
#include "harness/cli/target_check.h"
#include "harness/prove/sabotage.h"
#include "harness/run/catalog.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_diagnostics = 40;  // of one file: who has more does not read them all

bool is_scenario_file(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".yaml" || extension == ".yml";
}

// Files of a folder and below, in order of name; `canary` only where it is the folder that was named.
// A folder that a link leads back to is looked at once.
void collect(const fs::path& folder, std::vector<fs::path>& files, std::set<fs::path>& seen) {
  std::error_code error;
  if (!seen.insert(fs::weakly_canonical(folder, error)).second) return;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    if (fs::is_directory(entry, error)) {
      if (entry.filename() != "canary" && !entry.filename().string().starts_with(".")) {
        collect(entry, files, seen);
      }
    } else if (is_scenario_file(entry)) {
      files.push_back(entry);
    }
  }
}

std::string problem(const std::string& what) { return what + "\n"; }

std::vector<fs::path> files_of(const CommandContext& context, const Selection& selection,
                               std::vector<std::string>& problems) {
  std::vector<fs::path> files;
  std::set<fs::path> folders;
  std::error_code error;
  const auto known = scenario_folders({context.root, context.root_of_executable});
  if (selection.paths.empty()) collect(known.front(), files, folders);
  for (const auto& written : selection.paths) {
    fs::path path = written;
    if (!fs::exists(path, error)) {
      // A bare name means one of ours.
      for (const fs::path& folder : known) {
        const fs::path ours = folder / (written + ".yaml");
        if (written.find('/') != std::string::npos || !fs::exists(ours, error)) continue;
        path = ours;
        break;
      }
    }
    if (fs::is_directory(path, error)) {
      const auto before = files.size();
      folders.clear();
      collect(path, files, folders);
      if (files.size() == before) problems.push_back(problem(written + ": no scenario (*.yaml) in this folder"));
    } else if (fs::exists(path, error)) {
      files.push_back(path);
    } else if (error && error != std::errc::no_such_file_or_directory) {
      problems.push_back(problem(fmt::format("{}: {}", written, error.message())));
    } else {
      problems.push_back(problem(fmt::format(
          "{}: no such file or folder; `aima-harness list scenarios` shows what is there", written)));
    }
  }
  std::set<fs::path> seen;
  std::erase_if(files, [&](const fs::path& path) {
    return !seen.insert(fs::weakly_canonical(path, error)).second;
  });
  return files;
}

std::string text_or_nothing(const fs::path& path) {
  return read_file(path, most_yaml_bytes).value_or("");
}

std::string rendered(const std::vector<Diagnostic>& diagnostics, const std::string& scenario_file,
                     const std::string& scenario_text) {
  std::string text;
  std::size_t shown = 0;
  for (const auto& diagnostic : diagnostics) {
    if (shown++ == most_diagnostics) {
      text += fmt::format("{}: {} more problems\n", scenario_file, diagnostics.size() - most_diagnostics);
      break;
    }
    if (diagnostic.where.file == scenario_file) {
      text += render(diagnostic, scenario_text);
    } else {
      text += render(diagnostic, text_or_nothing(diagnostic.where.file));
    }
  }
  return text;
}

class Targets {
 public:
  Targets(const CommandContext& context, const Selection& selection) : root_(context.root) {
    for (const auto& [key, value] : selection.settings) {
      if (key.starts_with("target.")) overrides_[key.substr(7)] = value;
    }
  }
  std::string root() const { return root_.string(); }
  std::string find(const std::string& name, const std::string& beside) const {
    return find_target(name, beside, root_.string());
  }
  const tl::expected<TargetProfile, std::vector<Diagnostic>>& get(const std::string& name) {
    auto found = loaded_.find(name);
    if (found == loaded_.end()) {
      found = loaded_.emplace(name, load_target(name, root_.string(), overrides_)).first;
    }
    return found->second;
  }

 private:
  fs::path root_;
  std::map<std::string, std::string> overrides_;
  std::map<std::string, tl::expected<TargetProfile, std::vector<Diagnostic>>> loaded_;
};

// Only the one key that must be known before the rest can be checked.
NamedTarget target_named_in(const std::string& text, const std::string& file) {
  const YamlReading reading = read_yaml(text, file);
  const Node* target = reading.root.find("target");
  if (target == nullptr || !target->is_scalar()) return {};
  return {target->text, target->span};
}

void read_one(const fs::path& path, const Selection& selection, const StepCatalog& catalog,
              Targets& targets, const std::optional<Pattern>& filter, SelectedSet& set) {
  const std::string file = shown_path(path);
  auto text = read_file(path, most_yaml_bytes);
  if (!text) {
    set.unreadable.push_back(problem(text.error().message));
    return;
  }
  const NamedTarget own = target_named_in(*text, file);
  const std::string named = selection.target.empty() ? own.name : selection.target;
  TargetProfile target;
  std::vector<Diagnostic> problems;
  if (!named.empty()) {
    const std::string found = targets.find(named, selection.target.empty() ? file : "");
    if (found.empty() && !selection.target.empty()) {
      const Diagnostic wrong = no_target({named, {}}, targets.root());
      const std::string said = problem(fmt::format("--target {}: {}; {}", named, wrong.message, wrong.hint));
      const auto& known = set.unreadable;  // once, however many scenarios
      if (std::find(known.begin(), known.end(), said) == known.end()) set.unreadable.push_back(said);
      return;
    }
    if (found.empty()) {
      problems.push_back(no_target(own, targets.root()));
    } else if (const auto& loaded = targets.get(found)) {
      target = *loaded;
    } else {
      problems = loaded.error();
    }
  }
  auto scenario = parse_scenario(*text, file, catalog, given_names(target, selection));
  if (!scenario) {
    problems.insert(problems.end(), scenario.error().begin(), scenario.error().end());
  } else {
    check_against_target(*scenario, target, targets.root(), given_names(target, selection), problems);
  }
  if (!problems.empty()) {
    set.unreadable.push_back(rendered(problems, file, *text));
    return;
  }
  if (filter && !filter->found_in(scenario->name).value_or(false) &&
      !filter->found_in(scenario->title).value_or(false)) {
    return;
  }
  if (!selection.target.empty()) scenario->target = selection.target;
  for (const auto& [name, value] : selection.settings) {
    if (!name.starts_with("target.")) scenario->variables[name] = value;
  }
  set.scenarios.push_back({std::move(*scenario), std::move(target)});
}
}  // namespace

namespace {

bool mentions(const std::string& text, const std::string& name) {
  return text.find("${" + name) != std::string::npos || text.find("$" + name) != std::string::npos;
}

// A setting that nothing reads would change nothing, silently.
std::vector<std::string> unused_settings(const Selection& selection, const SelectedSet& set) {
  std::vector<std::string> problems;
  for (const auto& [name, value] : selection.settings) {
    if (name.starts_with("target.")) continue;
    bool used = false;
    std::vector<std::string> known;
    for (const auto& [scenario, target] : set.scenarios) {
      used = used || mentions(scenario.text, name) ||
             mentions(text_or_nothing(target.file), name);
      for (const auto& [variable, text] : scenario.variables) {
        if (variable != name) known.push_back(variable);
      }
      for (const auto& [variable, text] : target.vars) known.push_back("target.vars." + variable);
    }
    if (used) continue;
    auto close = nearest(name, known);
    problems.push_back(problem(fmt::format("--set {}={}: no selected scenario or target uses ${{{}}}{}",
                                           name, value, name, close ? "; did you mean " + *close + "?" : "")));
  }
  return problems;
}

}  // namespace

std::vector<std::string> sabotage_names() {
  std::vector<std::string> names;
  for (const auto& sabotage : world_sabotages()) names.emplace_back(sabotage.name);
  for (const auto& sabotage : record_sabotages()) names.emplace_back(sabotage.name);
  return names;
}

std::string shown_path(const std::filesystem::path& path) {
  std::error_code error;
  const fs::path relative = fs::relative(path, fs::current_path(error), error);
  if (error || relative.empty() || relative.string().starts_with("..")) return path.string();
  return relative.string();
}

std::vector<std::string> given_names(const TargetProfile& target, const Selection& selection) {
  std::vector<std::string> names{"run_id", "root",         "bin",      "sandbox", "scratch", "home",
                                 "port",   "engine_ports", "provider", "target",  "data"};
  for (const auto& [name, value] : target.vars) names.push_back(name);
  for (const auto& [name, value] : selection.settings) {
    if (!name.starts_with("target.")) names.push_back(name);
  }
  return names;
}

SelectedSet select_scenarios(const CommandContext& context, const Selection& selection) {
  SelectedSet set;
  std::optional<Pattern> filter;
  if (!selection.filter.empty()) {
    auto compiled = Pattern::compile(selection.filter, /*ignore_case=*/true);
    if (!compiled) {
      set.unreadable.push_back(problem("--filter: " + compiled.error().message));
      return set;
    }
    filter = std::move(*compiled);
  }
  const auto files = files_of(context, selection, set.unreadable);
  set.files = files.size();
  StepCatalog catalog = full_catalog();
  for (auto& name : sabotage_names()) catalog.add_sabotage(std::move(name));
  Targets targets(context, selection);
  for (const auto& file : files) read_one(file, selection, catalog, targets, filter, set);
  if (set.unreadable.empty() && !set.scenarios.empty() && !selection.one_of_many) {
    set.unreadable = unused_settings(selection, set);
  }
  std::map<std::string, std::string> names;
  for (const auto& selected : set.scenarios) {
    const auto [first, fresh] = names.try_emplace(selected.scenario.name, selected.scenario.file);
    if (fresh) continue;
    set.unreadable.push_back(problem(fmt::format(
        "{}:1:1: scenario `{}` has the name of another, {}", selected.scenario.file,
        selected.scenario.name, first->second)));
  }
  return set;
}
}  // namespace harness

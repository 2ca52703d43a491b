#include "harness/cli/stored_run.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "harness/run/catalog.h"
#include "harness/scenario/names.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::string newest_runs(const fs::path& runs) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(runs, error)) {
    if (fs::exists(entry.path() / "history.jsonl", error) && !entry.is_symlink()) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.rbegin(), names.rend());
  if (names.size() > 5) names.resize(5);
  if (names.empty()) return fmt::format("{} holds no run", runs.string());
  return fmt::format("newest in {}: {}", runs.string(), fmt::join(names, ", "));
}

// The names a scenario may use: those the run gave it, which its own record holds; from a history
// without a beginning, whatever the text refers to.
std::vector<std::string> names_given(const History& history, const std::string& text) {
  std::vector<std::string> names;
  for (const auto& event : history.events) {
    if (event.kind != "run.begin") continue;
    const auto variables = event.fields.find("variables");
    if (variables == event.fields.end() || !variables->is_object()) continue;
    for (const auto& [name, value] : variables->items()) names.push_back(name);
  }
  if (names.empty()) {
    for (const auto& reference : references_in(text)) names.push_back(reference.name);
  }
  return names;
}

Result<Scenario> stored_scenario(const fs::path& folder, const History& history) {
  const fs::path file = folder / "scenario.yaml";
  auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  std::string shown = file.string();  // places point to the file the person wrote
  for (const auto& event : history.events) {
    if (event.kind == "run.begin") shown = text_of(event.fields, "file", shown);
  }
  auto scenario = parse_scenario(*text, shown, full_catalog(), names_given(history, *text));
  if (scenario) return std::move(*scenario);
  std::string problems;
  for (const auto& diagnostic : scenario.error()) problems += "\n" + render(diagnostic, *text);
  return fail(ErrorKind::invalid,
              fmt::format("{} is no scenario that this version reads:{}", file.string(), problems));
}

}  // namespace

Result<std::string> read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    return fail(ErrorKind::invalid,
                fmt::format("cannot read {}: {}", file.string(), std::strerror(errno)));
  }
  return text.str();
}

Result<void> write_text(const fs::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (stream) return {};
  return fail(ErrorKind::environment,
              fmt::format("cannot write {}: {}", file.string(), std::strerror(errno)));
}

Result<fs::path> find_run(const CommandContext& context, const std::string& run) {
  std::error_code error;
  for (const fs::path& folder : {fs::path(run), context.runs / run}) {
    if (fs::exists(folder / "history.jsonl", error)) {
      return fs::is_symlink(folder, error) ? fs::canonical(folder, error) : folder;
    }
  }
  if (fs::is_directory(run, error)) {
    return fail(ErrorKind::usage, fmt::format("{} is no run: it holds no history.jsonl", run));
  }
  return fail(ErrorKind::usage, fmt::format("there is no run `{}` (a run's folder, its name, or "
                                            "latest); {}",
                                            run, newest_runs(context.runs)));
}

Result<Verdict> judge_stored(const fs::path& folder) {
  auto history = read_history((folder / "history.jsonl").string());
  if (!history) return tl::unexpected(history.error());
  auto scenario = stored_scenario(folder, *history);
  if (!scenario) return tl::unexpected(scenario.error());
  Expressions expressions;
  (void)expressions.prepare(expectations_of(*scenario));  // the scenario was accepted with them
  Verdict verdict = judge(*scenario, *history, expressions);
  verdict.folder = folder.string();
  return verdict;
}

Result<Verdict> stored_verdict(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / "verdict.json", error)) return judge_stored(folder);
  auto text = read_text(folder / "verdict.json");
  if (!text) return tl::unexpected(text.error());
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  auto verdict = verdict_from_json(json);
  if (!verdict) return judge_stored(folder);
  verdict->folder = folder.string();
  return verdict;
}

}  // namespace harness

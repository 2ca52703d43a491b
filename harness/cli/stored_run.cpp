#include "harness/cli/stored_run.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include <fmt/format.h>

#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/run/catalog.h"
#include "harness/scenario/names.h"
#include "harness/verdict/contradiction.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr JsonBounds verdict_bounds{64, 4'000'000};

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

Result<Scenario> scenario_in(const fs::path& file, const std::string& shown, const History& history) {
  auto text = read_file(file, most_yaml_bytes, Links::refused);
  if (!text) return tl::unexpected(text.error());
  auto scenario = parse_scenario(*text, shown, full_catalog(), names_given(history, *text));
  if (scenario) return std::move(*scenario);
  std::string problems;
  const auto& wrong = scenario.error();
  const std::size_t told = std::min<std::size_t>(wrong.size(), 10);
  for (std::size_t at = 0; at < told; ++at) problems += "\n" + render(wrong[at], *text);
  return fail(ErrorKind::usage,
              fmt::format("{} is no scenario that this version reads:{}", file.string(), problems));
}

// The file that the person wrote, as the run names it.
std::string written_file(const History& history) {
  for (const auto& event : history.events) {
    if (event.kind == "run.begin") return text_of(event.fields, "file");
  }
  return {};
}

// Of a history that stands by itself: the file that run.begin names, from here, from the root, or
// beside the history.
Result<fs::path> named_scenario(const CommandContext& context, const fs::path& history_file,
                                const History& history) {
  const std::string named = written_file(history);
  std::error_code error;
  for (const fs::path& file : {fs::path(named), context.root / named,
                               history_file.parent_path() / fs::path(named).filename()}) {
    if (!named.empty() && fs::is_regular_file(file, error)) return file;
  }
  return fail(ErrorKind::usage,
              fmt::format("{}: its scenario, {}, is not there; put the file beside the history",
                          history_file.string(),
                          named.empty() ? "which run.begin should name" : "`" + named + "`"));
}

// An empty history of a run was cut off before its first event.
bool is_verifiable(const StoredRun& run) {
  return !run.folder.empty() && (run.history.events.empty() || !run.history.head.empty());
}

Result<void> demand_chain(const History& history, const fs::path& file, bool unchained) {
  if (unchained || !history.head.empty() || history.events.empty()) return {};
  return fail(ErrorKind::usage,
              fmt::format("{} carries no hashes: written by hand, or by a version that did not "
                          "chain its events, so an edit would not show. Judge it as it is with "
                          "`--unchained`",
                          file.string()));
}

Result<void> demand_consistent(const StoredRun& run, const fs::path& file) {
  constexpr std::size_t most = 5;
  const Contradictions found = contradictions(run.scenario, run.history);
  if (found.empty()) return {};
  std::string lines;
  for (std::size_t index = 0; index < std::min(most, found.size()); ++index) {
    lines += fmt::format("\n  {} [{}]", found[index].text, found[index].rule);
  }
  if (found.size() > most) lines += fmt::format("\n  and {} more", found.size() - most);
  return fail(ErrorKind::invalid,
              fmt::format("{} contradicts itself and cannot be judged:{}", file.string(), lines));
}

// verdict.json against the history and against what is judged from it now.
Result<void> compare_verdict(StoredRun& run) {
  std::error_code error;
  const fs::path file = run.folder / "verdict.json";
  if (!fs::exists(file, error)) {
    if (!run.history.cut) run.integrity.notes.push_back("there is no verdict.json beside the history");
    return {};
  }
  auto text = read_file(file, most_history_bytes, Links::refused);
  if (!text) return tl::unexpected(text.error());
  const Json now = to_json(run.verdict);
  auto written = verdict_from_sealed(*text);
  if (!written) {
    const Json json = read_json(*text, verdict_bounds).value;
    Error trouble = written.error();
    if (json.is_object()) {
      Json bare = json;
      bare.erase("seal");
      const std::string where = first_difference(bare, now);
      trouble.message += where.empty() ? "" : "; it says " + where + " as the history does";
    }
    return tl::unexpected(trouble);
  }
  if (auto held = check_head(*written, run.history); !held) return held;
  if (const std::string where = first_difference(to_json(*written), now); !where.empty()) {
    run.integrity.notes.push_back(fmt::format(
        "verdict.json said {} and is intact, but judged again by this version it differs: it said {}",
        name_of(written->answer), where));
  }
  written->folder = run.folder.string();
  run.written = std::move(*written);
  return {};
}

Result<StoredRun> read_run(const CommandContext& context, const fs::path& folder,
                           const fs::path& file, bool unchained) {
  StoredRun run;
  run.folder = folder;
  auto history = read_history(file.string());
  if (!history) return tl::unexpected(history.error());
  if (auto chained = demand_chain(*history, file, unchained); !chained) {
    return tl::unexpected(chained.error());
  }
  run.history = std::move(*history);
  // Files before anything is read from them: by an edited scenario nothing would mean anything.
  if (is_verifiable(run)) {
    auto intact = check_files(folder, run.history, true);
    if (!intact) return tl::unexpected(within(folder.string(), intact.error()));
  }
  fs::path scenario_file = folder / "scenario.yaml";
  std::string shown = written_file(run.history);  // places point to the file the person wrote
  if (folder.empty()) {
    auto named = named_scenario(context, file, run.history);
    if (!named) return tl::unexpected(named.error());
    scenario_file = *named;
  }
  auto scenario = scenario_in(scenario_file, shown.empty() ? scenario_file.string() : shown,
                              run.history);
  if (!scenario) return tl::unexpected(scenario.error());
  run.scenario = std::move(*scenario);
  return run;
}

}  // namespace

Result<void> write_text(const fs::path& file, const std::string& text) {
  // A name of its own and then renamed: a link of that name is replaced, never written through.
  const fs::path draft = file.string() + ".new";
  std::error_code failed;
  fs::remove(draft, failed);
  std::ofstream stream(draft, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (stream) {
    fs::rename(draft, file, failed);
    if (!failed) return {};
    return fail(ErrorKind::environment,
                fmt::format("cannot write {}: {}", file.string(), failed.message()));
  }
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

Result<StoredRun> open_stored(const CommandContext& context, const std::string& name,
                              bool unchained) {
  std::error_code error;
  fs::path folder;
  fs::path file = name;
  const bool lone = fs::is_regular_file(file, error) &&
                    !fs::exists(file.parent_path() / "scenario.yaml", error);
  if (!lone) {
    auto found = find_run(context, fs::is_regular_file(file, error)
                                       ? fs::absolute(file).parent_path().string()
                                       : name);
    if (!found) return tl::unexpected(found.error());
    folder = *found;
    file = folder / "history.jsonl";
  }
  auto run = read_run(context, folder, file, unchained);
  if (!run) return run;
  const bool verifiable = is_verifiable(*run);
  if (auto sound = demand_consistent(*run, file); !sound) return tl::unexpected(sound.error());
  Expressions expressions;
  (void)expressions.prepare(expectations_of(run->scenario));  // the scenario was accepted with them
  run->verdict = judge(run->scenario, run->history, expressions);
  run->verdict.folder = folder.string();
  if (!verifiable) return run;
  auto intact = check_files(folder, run->history, run->verdict.answer == Answer::pass);
  if (!intact) return tl::unexpected(within(folder.string(), intact.error()));
  run->integrity = std::move(*intact);
  run->verified = true;
  if (auto compared = compare_verdict(*run); !compared) {
    return tl::unexpected(within(folder.string(), compared.error()));
  }
  return run;
}

int status_of_stored(const Error& error) {
  return error.kind == ErrorKind::usage ? exit_usage : exit_error;
}

}  // namespace harness

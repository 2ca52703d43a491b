// The command line: every command with its flags, and what the terminal is.
#include "harness/cli/options.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>

#include "harness/base/suggest.h"
#include "harness/clients/command.h"
#include "harness/cli/commands.h"
#include "harness/cli/root.h"
#include "harness/cli/workers.h"
#include "harness/run/interrupts.h"
#include "harness/scenario/scenario.h"
#include "version.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Runs are stored where one works: with the root when it was named or one is inside it, else here. A
// root that only the executable or a scenario's place led to gets nothing written into it.
fs::path runs_folder(const fs::path& root, bool named) {
  const fs::path here = fs::current_path();
  const std::string from_root = here.lexically_relative(fs::weakly_canonical(root)).string();
  const bool inside = !from_root.empty() && !from_root.starts_with("..");
  return (named || inside ? root : here) / "reports" / "runs";
}

int terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 100;
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

// Texts as they were given; made into arguments once all is parsed.
struct Given {
  std::vector<std::string> settings, reports, formats, runs;
  std::string seed, timeout, out, root;
  Selection selection;
  RunArguments run;
  JudgeArguments judge;
  DiffArguments diff;
  ProveArguments prove;
  std::string what, name;
  bool json = false, dry_run = false;
  int keep = 0;
  std::function<int(const CommandContext&)> act;
};

using Problem = CLI::ValidationError;

constexpr const char* unchained_text = "also a history without hashes, as one written by hand";

void read_settings(Given& given) {
  for (const auto& setting : given.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Problem("--set", fmt::format("`{}` is no setting: write NAME=VALUE", setting));
    }
    given.selection.settings[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
}

std::vector<std::pair<std::string, std::string>> read_reports(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> reports;
  for (const auto& text : texts) {
    const std::size_t equals = text.find('=');
    const bool bare = equals == std::string::npos;
    reports.emplace_back(text.substr(0, equals), bare ? "-" : text.substr(equals + 1));
    if (reports.back().first.empty() || reports.back().second.empty()) {
      throw Problem("--report", fmt::format("`{}`: write FORMAT=FILE, for example junit=out.xml", text));
    }
  }
  return reports;
}

std::optional<std::uint64_t> read_seed(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::size_t used = 0;
  std::uint64_t seed = 0;
  try {
    seed = std::stoull(text, &used, 0);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || text.front() == '-') {
    throw Problem("--seed", fmt::format("`{}` is no seed: a whole number, as a run prints it", text));
  }
  return seed;
}

std::optional<Milliseconds> read_timeout(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto duration = parse_duration(text);
  if (!duration || duration->count() <= 0) {
    throw Problem("--timeout", fmt::format("`{}` is no duration: write 90s, 2m or 500ms", text));
  }
  return *duration;
}

// A word of a fixed few, with its nearest where it is none.
CLI::Validator one_of(std::vector<std::string> words) {
  const std::string known = fmt::format("{}", fmt::join(words, ", "));
  return CLI::Validator(
      [words = std::move(words), known](std::string& word) -> std::string {
        if (std::find(words.begin(), words.end(), word) != words.end()) return "";
        const auto near = nearest(word, words);
        return fmt::format("`{}` is none of {}{}", word, known,
                           near ? fmt::format("; did you mean `{}`?", *near) : "");
      },
      "{" + known + "}");
}

void add_selection(CLI::App& command, Given& given) {
  command.add_option("PATH", given.selection.paths, "scenario files or folders; default scenarios/");
  command.add_option("--target", given.selection.target, "run against this target instead");
  command.add_option("--set", given.settings, "NAME=VALUE for ${NAME}; target.KEY=VALUE for the target")
      ->allow_extra_args(false);
  command.add_option("--filter", given.selection.filter, "only names or titles that match this pattern");
}

void add_run(CLI::App& app, Given& given) {
  auto* command = app.add_subcommand("run", "run scenarios against the daemon and report");
  add_selection(*command, given);
  command->add_option("--seed", given.seed, "repeat a run's chance exactly");
  command->add_option("--report", given.reports, "FORMAT=FILE; console, json, junit, markdown; again for more")
      ->allow_extra_args(false);
  command->add_option("--provider", given.run.provider, "what engines run on: auto, docker, podman, native")
      ->check(one_of({"auto", "docker", "podman", "native"}));
  command->add_option("--require", given.run.require, "docker: an error without it, not a fallback")
      ->check(one_of({"docker"}));
  command->add_option("--contain", given.run.contain, "what holds a run's processes together; default auto")
      ->check(one_of({"auto", "cgroup", "pid-namespace", "marks"}));
  command->add_option("--timeout", given.timeout, "for each scenario, in place of its own: 90s");
  command->add_option("-j,--jobs", given.run.jobs, "how many scenarios at once; default 1")
      ->check(CLI::Range(1, 64));
  command->add_option("--repeat", given.run.repeat, "run each scenario so often")
      ->check(CLI::Range(1, 100000));
  command->add_option("--out", given.out, "folder of the runs; default reports/runs");
  command->add_flag("--keep", given.run.keep, "keep evidence and sandbox, also of what passed");
  command->add_flag("--fail-fast", given.run.fail_fast, "end with the first scenario that does not pass");
  command->add_flag("--allow-skip", given.run.allow_skip, "unmet needs are no reason to exit 2");
  command->callback([&given] {
    given.run.selection = given.selection;
    given.run.seed = read_seed(given.seed);
    given.run.timeout = read_timeout(given.timeout);
    given.run.reports = read_reports(given.reports);
    read_settings(given);
    given.run.selection.settings = given.selection.settings;
    given.act = [&given](const CommandContext& context) { return command_run(context, given.run); };
  });
}

void add_prove(CLI::App& app, Given& given) {
  auto* command = app.add_subcommand("prove", "sabotage scenarios: can each criterion fail, is each sabotage noticed?");
  add_selection(*command, given);
  command->add_option("--seed", given.seed, "repeat a proof's chance exactly");
  command->add_option("--report", given.reports, "FORMAT=FILE; console, json, markdown; again for more")
      ->allow_extra_args(false);
  command->add_option("--provider", given.run.provider, "what engines run on: auto, docker, podman, native")
      ->check(one_of({"auto", "docker", "podman", "native"}));
  command->add_option("--contain", given.run.contain, "what holds a run's processes together; default auto")
      ->check(one_of({"auto", "cgroup", "pid-namespace", "marks"}));
  command->add_option("--timeout", given.timeout, "for each run, in place of the scenario's own: 90s");
  command->add_option("-j,--jobs", given.run.jobs, "how many strikes at once; default 1")
      ->check(CLI::Range(1, 64));
  command->add_option("--sabotage", given.prove.sabotage, "only this one: NAME, NAME:DETAIL or NAME:DETAIL@STEP");
  command->add_option("--out", given.out, "folder of the proofs; default reports/prove");
  command->add_flag("--keep", given.prove.keep, "keep the runs of all strikes, also of those that were noticed");
  command->callback([&given] {
    given.prove.run = given.run;
    given.prove.run.selection = given.selection;
    given.prove.run.seed = read_seed(given.seed);
    given.prove.run.timeout = read_timeout(given.timeout);
    given.prove.run.reports = read_reports(given.reports);
    read_settings(given);
    given.prove.run.selection.settings = given.selection.settings;
    given.act = [&given](const CommandContext& context) {
      CommandContext own = context;
      if (given.out.empty()) own.runs = context.runs.parent_path() / "prove";
      return command_prove(own, given.prove);
    };
  });
}

// Not for people: `run -j` and `prove -j` start it.
void add_worker(CLI::App& app, Given& given) {
  auto* worker = app.add_subcommand("run-worker", "");
  worker->group("");
  worker->callback([&given] { given.act = command_run_worker; });
}

void add_reading(CLI::App& app, Given& given) {
  auto* check = app.add_subcommand("check", "validate scenarios; starts nothing");
  add_selection(*check, given);
  check->callback([&given] {
    read_settings(given);
    given.act = [&given](const CommandContext& context) { return command_check(context, given.selection); };
  });
  auto* plan = app.add_subcommand("plan", "print what a run would do, without running");
  add_selection(*plan, given);
  plan->add_option("--seed", given.seed, "of the run to plan");
  plan->callback([&given] {
    read_settings(given);
    const auto seed = read_seed(given.seed);
    given.act = [&given, seed](const CommandContext& context) {
      return command_plan(context, given.selection, seed);
    };
  });
  auto* list = app.add_subcommand("list", "scenarios, steps, faults, probes, sabotages, reporters, targets");
  list->add_option("WHAT", given.what, "only scenarios, steps, faults, probes, sabotages, reporters or targets");
  list->add_flag("--json", given.json, "as JSON");
  list->callback([&given] {
    given.act = [&given](const CommandContext& context) {
      return command_list(context, given.what, given.json);
    };
  });
  app.add_subcommand("schema", "the JSON Schema of a scenario file, for editors")->callback([&given] {
    given.act = [](const CommandContext& context) { return command_schema(context); };
  });
  auto* fresh = app.add_subcommand("new", "write a commented starter scenario");
  fresh->add_option("NAME", given.name, "scenarios/NAME.yaml, or a path")->required();
  fresh->callback([&given] {
    given.act = [&given](const CommandContext& context) { return command_new(context, given.name); };
  });
}

void add_stored(CLI::App& app, Given& given) {
  auto* judge = app.add_subcommand("judge", "judge a stored run again; starts nothing");
  judge->add_option("RUN", given.judge.run, "a run's folder, its name, latest, or a history file")
      ->default_val("latest");
  judge->add_option("--out", given.out, "folder of the runs; default reports/runs");
  judge->add_flag("--allow-skip", given.judge.allow_skip, "a skipped run is no reason to exit 2");
  judge->add_flag("--unchained", given.judge.unchained, unchained_text);
  judge->callback([&given] {
    given.act = [&given](const CommandContext& context) { return command_judge(context, given.judge); };
  });
  auto* report = app.add_subcommand("report", "render stored runs; starts nothing");
  report->add_option("RUN", given.runs, "runs' folders, names, or latest (the default)");
  report->add_option("--format,--report", given.reports, "FORMAT or FORMAT=FILE; again for more")
      ->allow_extra_args(false);
  report->add_option("--out", given.out, "folder of the runs; default reports/runs");
  report->add_flag("--unchained", given.judge.unchained, unchained_text);
  report->callback([&given] {
    const auto reports = read_reports(given.reports);
    given.act = [&given, reports](const CommandContext& context) {
      return command_report(context, given.runs, reports, given.judge.unchained);
    };
  });
}

void add_diff(CLI::App& app, Given& given) {
  auto* diff = app.add_subcommand("diff", "what is different between two stored runs; starts nothing");
  diff->add_option("RUN", given.diff.one, "a run's folder, its name, latest, or a history file")
      ->required();
  diff->add_option("OTHER", given.diff.other, "the run to compare it with")->required();
  diff->add_option("--out", given.out, "folder of the runs; default reports/runs");
  diff->add_flag("--unchained", given.diff.unchained, unchained_text);
  diff->add_flag("--json", given.diff.json, "as JSON");
  diff->callback([&given] {
    given.act = [&given](const CommandContext& context) { return command_diff(context, given.diff); };
  });
}

void add_machine(CLI::App& app, Given& given) {
  auto* doctor = app.add_subcommand("doctor", "what this machine offers, and what is lost without it");
  doctor->add_flag("--json", given.json, "as JSON");
  doctor->callback([&given] {
    given.act = [&given](const CommandContext& context) { return command_doctor(context, given.json); };
  });
  auto* clean = app.add_subcommand("clean", "remove what dead runs left behind");
  auto* keep = clean->add_option("--keep", given.keep, "also remove all but the newest N stored runs")
                   ->check(CLI::NonNegativeNumber);
  clean->add_option("--out", given.out, "folder of the runs; default reports/runs");
  clean->add_flag("--dry-run", given.dry_run, "only say what would be removed");
  clean->callback([&given, keep] {
    const std::optional<int> newest = keep->count() > 0 ? std::optional(given.keep) : std::nullopt;
    given.act = [&given, newest](const CommandContext& context) {
      return command_clean(context, newest, given.dry_run);
    };
  });
}

// The first word that no command or option answers to, with the nearest that one does. CLI11 says
// "A subcommand is required" of `rnu`, and names no neighbour of `--fail-fats`.
std::string unknown_word(CLI::App& app, int argc, const char* const* argv) {
  CLI::App* command = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") break;
    if (!word.starts_with("-")) {
      if (command != nullptr) continue;  // an argument of the command
      std::vector<std::string> names;
      for (CLI::App* one : app.get_subcommands(nullptr)) {
        if (!one->get_group().empty()) names.push_back(one->get_name());
        if (one->get_name() == word) command = one;
      }
      if (command != nullptr) continue;
      const bool value = i > 1 && std::string(argv[i - 1]) == "--root";
      if (value) continue;
      const auto near = nearest(word, names);
      return fmt::format("there is no command `{}`; {}", word,
                         near ? fmt::format("did you mean `{}`?", *near)
                              : fmt::format("known: {}", fmt::join(names, ", ")));
    }
    const std::string flag = word.substr(0, word.find('='));
    std::vector<std::string> names{"--help", "--version", "--root"};
    if (command != nullptr) {
      for (const CLI::Option* option : command->get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    if (!flag.starts_with("--") || std::find(names.begin(), names.end(), flag) != names.end()) continue;
    const auto near = nearest(flag, names);
    return fmt::format("{} has no option `{}`{}", command ? "`" + command->get_name() + "`" : "aima-harness",
                       flag, near ? fmt::format("; did you mean `{}`?", *near)
                                  : fmt::format("; it has {}", fmt::join(names, ", ")));
  }
  return "";
}

}  // namespace

int run_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
                     const Interrupts& interrupts) {
  CLI::App app("Kills a daemon in every way it can die and proves what survived.", "aima-harness");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("aima-harness ") + aima::version);
  app.fallthrough();  // before the commands, which inherit it
  Given given;
  app.add_option("--root", given.root, "folder that holds scenarios/ and fixtures/targets/");
  add_run(app, given);
  add_prove(app, given);
  add_worker(app, given);
  add_reading(app, given);
  add_stored(app, given);
  add_diff(app, given);
  add_machine(app, given);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                         dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if (const std::string what = unknown ? unknown_word(app, argc, argv) : ""; !what.empty()) {
      err << "aima-harness: " << what << '\n';
      return exit_usage;
    }
    return app.exit(error, out, err) == 0 ? exit_pass : exit_usage;
  }
  const Root found = given.root.empty() ? find_root(given.selection.paths) : Root{fs::absolute(given.root)};
  const fs::path& root = found.path;
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const CommandContext context{
      out,
      err,
      root,
      given.out.empty() ? runs_folder(root, !given.root.empty() || is_set("AIMA_HARNESS_ROOT")) : fs::absolute(given.out),
      terminal && !is_set("NO_COLOR"),
      terminal && !is_set("CI"),
      terminal_width(),
      quote_words({argv, argv + argc}),
      interrupts.stop(),
      &interrupts,
      found.installed};
  const int status = given.act(context);
  out.flush();
  // Whoever read our output has gone, or the disk is full: what was said did not arrive.
  if (!out && status == exit_pass) return exit_error;
  return status;
}
}  // namespace harness

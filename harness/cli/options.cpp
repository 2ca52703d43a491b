// The command line: every command with its flags, and what the terminal is.
#include "harness/cli/options.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>

#include "harness/clients/command.h"
#include "harness/cli/commands.h"
#include "harness/cli/option_values.h"
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

constexpr const char* unchained_text = "also a history without hashes, as one written by hand";

void read_settings(Given& given) { given.selection.settings = read_settings_of(given.settings); }

// What `run` and `prove` run with.
RunArguments run_arguments(Given& given) {
  RunArguments run = given.run;
  run.seed = read_seed(given.seed);
  run.timeout = read_timeout(given.timeout);
  run.reports = read_reports(given.reports);
  read_settings(given);
  run.selection = given.selection;
  return run;
}

void add_selection(CLI::App& command, Given& given) {
  command.add_option("PATH", given.selection.paths, "scenario files or folders; default scenarios/");
  command.add_option("--target", given.selection.target, "run against this target instead");
  command.add_option("--set", given.settings, "NAME=VALUE for ${NAME}; target.KEY=VALUE for the target")
      ->allow_extra_args(false);
  command.add_option("--filter", given.selection.filter, "only names or titles that match this pattern");
}

void add_provider(CLI::App& command, Given& given) {
  command.add_option("--provider", given.run.provider, "what engines run on: auto, docker, podman, native")
      ->check(one_of({"auto", "docker", "podman", "native"}));
}

void add_contain(CLI::App& command, Given& given) {
  command.add_option("--contain", given.run.contain, "what holds a run's processes together; default auto")
      ->check(one_of({"auto", "cgroup", "pid-namespace", "marks"}));
}

void add_run(CLI::App& app, Given& given) {
  auto* command = app.add_subcommand("run", "run scenarios against the daemon and report");
  add_selection(*command, given);
  command->add_option("--seed", given.seed, "repeat a run's chance exactly");
  command->add_option("--report", given.reports, "FORMAT=FILE; console, json, junit, markdown; again for more")
      ->allow_extra_args(false);
  add_provider(*command, given);
  command->add_option("--require", given.run.require, "docker: an error without it, not a fallback")
      ->check(one_of({"docker"}));
  add_contain(*command, given);
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
    given.run = run_arguments(given);
    given.act = [&given](const CommandContext& context) { return command_run(context, given.run); };
  });
}

void add_prove(CLI::App& app, Given& given) {
  auto* command = app.add_subcommand("prove", "sabotage scenarios: can each criterion fail, is each sabotage noticed?");
  add_selection(*command, given);
  command->add_option("--seed", given.seed, "repeat a proof's chance exactly");
  command->add_option("--report", given.reports, "FORMAT=FILE; console, json, markdown; again for more")
      ->allow_extra_args(false);
  add_provider(*command, given);
  add_contain(*command, given);
  command->add_option("--timeout", given.timeout, "for each run, in place of the scenario's own: 90s");
  command->add_option("-j,--jobs", given.run.jobs, "how many strikes at once; default 1")
      ->check(CLI::Range(1, 64));
  command->add_option("--sabotage", given.prove.sabotage, "only this one: NAME, NAME:DETAIL or NAME:DETAIL@STEP");
  command->add_option("--out", given.out, "folder of the proofs; default reports/prove");
  command->add_flag("--keep", given.prove.keep, "keep the runs of all strikes, also of those that were noticed");
  command->callback([&given] {
    given.prove.run = run_arguments(given);
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
      found.of_executable};
  const int status = given.act(context);
  out.flush();
  // Whoever read our output has gone, or the disk is full: what was said did not arrive.
  if (!out && status == exit_pass) return exit_error;
  return status;
}
}  // namespace harness

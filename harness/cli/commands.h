// The commands of aima-harness, one function each; options.cpp turns argv into these arguments and
// main() calls. Each writes to the context's streams, starts nothing the page does not name, and
// returns the exit status: 0 pass, 1 fail, 2 inconclusive, 3 harness or environment error, 4 usage
// or invalid scenario, 5 nothing selected, 6 leftovers of our own, 128+n stopped by signal n.
#pragma once
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/clock.h"

namespace harness {

class Interrupts;

enum ExitStatus : int {
  exit_pass = 0,
  exit_fail = 1,
  exit_inconclusive = 2,
  exit_error = 3,
  exit_usage = 4,
  exit_nothing_selected = 5,
  exit_leftovers = 6,
  exit_signal_base = 128,
};

// What every command is given beside its own arguments.
struct CommandContext {
  std::ostream& out;
  std::ostream& err;
  std::filesystem::path root;   // holds scenarios/ and fixtures/targets/
  std::filesystem::path runs;   // stored runs: reports/runs, or --out
  bool colour = false;          // a terminal, and NO_COLOR is not set
  bool terminal = false;        // out is a terminal: live progress is welcome
  int width = 100;
  std::string command_line{};   // how we were called, for "repeat with"
  std::stop_token stop{};       // requested by SIGINT, SIGTERM, SIGHUP
  const Interrupts* interrupts = nullptr;  // which signal it was, and whether a second one came
  bool root_of_executable = false;  // see Root: the user's own ./scenarios come before it
};

// Which scenarios, and with what: shared by run, check and plan.
struct Selection {
  std::vector<std::string> paths;              // files or folders; empty: scenarios/ without canary/
  std::string filter;                          // regular expression on name or title; empty: all
  std::string target;                          // --target: overrides the scenario's own
  std::map<std::string, std::string> settings; // --set NAME=VALUE, target.KEY=VALUE among them
  bool one_of_many = false;  // a setting that nothing here reads may be for another scenario
};

struct RunArguments {
  Selection selection;
  int jobs = 1;             // how many runs at once, each in a process of its own (workers.h)
  std::optional<std::uint64_t> seed;
  std::vector<std::pair<std::string, std::string>> reports;  // format, file ("-": standard output)
  std::string provider;  // "", docker, podman, native
  std::string require;   // "docker": without it an error, not a fallback
  std::string contain;   // how runs are contained (target/enclosure.h): "", auto, cgroup, …
  std::optional<Milliseconds> timeout;
  int repeat = 1;
  bool keep = false;        // keep all evidence on success too
  bool fail_fast = false;
  bool allow_skip = false;
};

int command_run(const CommandContext& context, const RunArguments& arguments);

struct ProveArguments {
  RunArguments run;      // repeat, require, keep, fail_fast and allow_skip have no meaning here
  std::string sabotage;  // only what these words name
  bool keep = false;     // the runs of all strikes
};
// The sabotage matrix of each scenario. 1 where a criterion is toothless or a sabotage unnoticed; what
// `run` answers where the control run does not pass.
int command_prove(const CommandContext& context, const ProveArguments& arguments);

// Validates; every problem as file:line:column, the line, a caret and a suggestion. 4 if there is
// any, 5 if nothing was selected.
int command_check(const CommandContext& context, const Selection& selection);
// Prints the plan of each scenario as JSON (an array, or one object for one file); runs nothing.
int command_plan(const CommandContext& context, const Selection& selection,
                 std::optional<std::uint64_t> seed);
// `what`: "" for all, or scenarios, steps, faults, probes, sabotages, reporters, targets.
int command_list(const CommandContext& context, const std::string& what, bool json);
// The JSON Schema (draft 7) of a scenario file.
int command_schema(const CommandContext& context);
// Writes a commented starter scenario that passes check; refuses to overwrite. `name` becomes
// scenarios/NAME.yaml under the root; a path (with '/' or .yaml) is taken as it is.
int command_new(const CommandContext& context, const std::string& name);

struct JudgeArguments {
  std::string run = "latest";  // a run folder, its name, "latest", or a history file
  bool allow_skip = false;
  bool unchained = false;  // a history without a chain, written by hand, is judged as it is
};

// Verifies a stored run and judges its history again, writes verdict.json. A run that was edited or
// that contradicts itself is refused with 3: it has no verdict.
int command_judge(const CommandContext& context, const JudgeArguments& arguments);
// Renders stored runs, verified in the same way; no formats: console on standard output.
int command_report(const CommandContext& context, const std::vector<std::string>& runs,
                   const std::vector<std::pair<std::string, std::string>>& reports, bool unchained);

struct DiffArguments {
  std::string one, other;  // as JudgeArguments::run
  bool unchained = false;
  bool json = false;
};
// What is different between two stored runs, verified in the same way. 0: the same verdict and the same
// answer to each criterion; 1: not.
int command_diff(const CommandContext& context, const DiffArguments& arguments);

int command_doctor(const CommandContext& context, bool json);
// Removes what dead runs left. `keep`: also prune all but the newest N run folders.
int command_clean(const CommandContext& context, std::optional<int> keep, bool dry_run);
}  // namespace harness

// Runs side by side, each in a worker process of its own. The kernel gives the orphans of a daemon to
// the nearest subreaper above it, which is a process and never a thread: only so is what a daemon left
// told apart from what another left at the same time, and the verdicts are those of one by one.
//
// A worker is this program again, started as `aima-harness run-worker` in a process group of its own
// (a terminal's Ctrl-C comes from us alone) and killed by the kernel if we die. It reads one job as
// JSON from its standard input and answers on its standard output, one JSON object a line:
//   {"step": {"path": "3.1", "source": "http: GET /"}}   as often as a step begins
//   {"verdict": {…}, "folder": "reports/runs/…"}          once, at the end
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "harness/cli/commands.h"
#include "harness/cli/progress.h"
#include "harness/cli/selection.h"
#include "harness/run/world.h"
#include "harness/verdict/verdict.h"

namespace harness {

struct Job {
  const Selected* selected = nullptr;
  std::uint64_t seed = 0;
  // Of `prove`: {control, sabotage, detail, step}; then the last line of the answer also has "struck"
  // and "missed". Null for a plain run.
  Json strike = {};
};
// The verdict of a job and the line that it came with (null where the worker left none).
using OnAnswer = std::function<void(std::size_t job, const Verdict& verdict, const Json& line)>;

// At most arguments.jobs at once, started in order; the verdicts in that order, of those that were
// started. A stop that is requested goes on to every worker, which heals, judges and answers. A worker
// that ends without an answer gets the verdict ERROR, and what it left is removed.
std::vector<Verdict> run_side_by_side(const CommandContext& context, const RunArguments& arguments,
                                      const Provider& provider, const std::vector<Job>& jobs,
                                      Progress& progress, const OnAnswer& on_answer = {});

// Whether --fail-fast starts nothing more after this one.
bool ends_the_rest(const Verdict& verdict);

// The other end: one job from standard input, its answers to standard output.
int command_run_worker(const CommandContext& context);
}  // namespace harness

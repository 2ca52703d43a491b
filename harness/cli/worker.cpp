// `aima-harness run-worker`: one run for the harness that started this process.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <iostream>
#include <iterator>
#include <mutex>
#include <ostream>

#include "harness/cli/run_one.h"
#include "harness/cli/workers.h"
#include "harness/prove/proof.h"
#include "harness/target/containment.h"

namespace harness {
namespace {

// A job as workers.cpp writes it; anything else was typed by a person.
struct ReadJob {
  RunArguments arguments;
  std::string root, runs;
  std::uint64_t seed = 0;
  Provider provider;
  Json strike;
};

Result<ReadJob> read_job(const std::string& text, const std::stop_token& stop) {
  const Json job = Json::parse(text, nullptr, false);
  if (!job.is_object() || !job.contains("file") || job.value("parent", 0) != ::getppid()) {
    return fail(ErrorKind::usage,
                "run-worker is how `run -j N` starts its own processes; use `aima-harness run`");
  }
  ReadJob read;
  read.arguments.selection.paths = {job.at("file").get<std::string>()};
  read.arguments.selection.target = job.at("target").get<std::string>();
  read.arguments.selection.one_of_many = true;
  for (const auto& [name, value] : job.at("settings").items()) {
    read.arguments.selection.settings[name] = value.get<std::string>();
  }
  if (!job.at("timeout_ms").is_null()) {
    read.arguments.timeout = Milliseconds(job.at("timeout_ms").get<std::int64_t>());
  }
  read.arguments.contain = job.at("contain").get<std::string>();
  read.arguments.keep = job.at("keep").get<bool>();
  read.seed = job.at("seed").get<std::uint64_t>();
  read.root = job.at("root").get<std::string>();
  read.runs = job.at("runs").get<std::string>();
  read.strike = job.value("strike", Json());
  // What was found once holds for all: a fallback is not tried again by each.
  if (job.at("provider").get<std::string>() != "native") {
    auto found = find_provider("docker", Limit::after(Milliseconds(5000), stop));
    if (!found) return tl::unexpected(found.error());
    read.provider = std::move(*found);
  } else {
    read.provider.why_native = job.at("why_native").get<std::string>();
  }
  return read;
}

// A line is one write, so that the reader never waits for its end.
class Answers {
 public:
  explicit Answers(std::ostream& out) : out_(out) {}
  void write(const Json& line) {
    const std::lock_guard lock(mutex_);
    out_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n" << std::flush;
  }

 private:
  std::ostream& out_;
  std::mutex mutex_;  // steps also begin on threads beside the main line
};

// A run with a strike in it: what it says of itself goes with the verdict.
Json strike_answer(const CommandContext& context, const ReadJob& job, const Selected& selected,
                   const std::function<void(const Step&)>& on_step) {
  const Plan plan = make_plan(selected.scenario, selected.target.name,
                              job.arguments.selection.settings, job.seed);
  const RunOptions options = run_options(context, job.arguments, plan, on_step);
  StruckRun run;
  const auto control = read_history(job.strike.at("control").get<std::string>() + "/history.jsonl");
  if (control) {
    Expressions expressions;
    run = strike_once(selected.scenario, selected.target, job.provider, expressions, options,
                      *control, find_sabotage(world_sabotages(), job.strike.at("sabotage").get<std::string>()),
                      {job.strike.at("detail").get<std::string>(),
                       job.strike.at("step").get<std::string>()});
  } else {
    run.error = to_string(control.error());
  }
  if (!run.error.empty()) run.verdict = error_verdict(selected, job.seed, run.error);
  return {{"verdict", to_json(run.verdict)},
          {"folder", run.verdict.folder},
          {"struck", run.struck},
          {"missed", run.missed},
          {"error", run.error}};
}

}  // namespace

int command_run_worker(const CommandContext& context) {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  auto job = read_job(text, context.stop);
  // Asked for before the parent is looked at a second time: it may have died in between.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (job && Json::parse(text).at("parent") != ::getppid()) return exit_error;
  if (!job) {
    context.err << to_string(job.error()) << '\n';
    return job.error().kind == ErrorKind::usage ? exit_usage : exit_error;
  }
  CommandContext own{context.out, context.err, job->root, job->runs};
  own.stop = context.stop;
  own.interrupts = context.interrupts;
  const SelectedSet set = select_scenarios(own, job->arguments.selection);
  if (!set.unreadable.empty() || set.scenarios.size() != 1) {
    context.err << fmt::format("{} is no longer the scenario that was read before:\n{}",
                               job->arguments.selection.paths.front(),
                               fmt::join(set.unreadable, ""));
    return exit_error;
  }
  if (auto reaper = become_subreaper(); !reaper) {
    context.err << to_string(reaper.error()) << '\n';
    return exit_error;
  }
  Answers answers(context.out);
  Expressions expressions;
  const auto on_step = [&answers](const Step& step) {
    answers.write({{"step", {{"path", step.path}, {"source", step.source}}}});
  };
  if (!job->strike.is_null()) {
    answers.write(strike_answer(own, *job, set.scenarios.front(), on_step));
    return exit_pass;
  }
  const Verdict verdict = run_selected(own, job->arguments, job->provider, expressions,
                                       set.scenarios.front(), job->seed, on_step);
  answers.write({{"verdict", to_json(verdict)}, {"folder", verdict.folder}});
  return exit_pass;
}
}  // namespace harness

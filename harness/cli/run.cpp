// `aima-harness run`: scenarios → runs → verdicts → reports.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ostream>

#include "harness/base/unique_fd.h"
#include "harness/cli/commands.h"
#include "harness/cli/prepare.h"
#include "harness/cli/progress.h"
#include "harness/cli/report_file.h"
#include "harness/cli/run_one.h"
#include "harness/cli/selection.h"
#include "harness/cli/workers.h"
#include "harness/report/github.h"
#include "harness/report/reporter.h"
#include "harness/run/interrupts.h"
#include "harness/target/containment.h"
#include "harness/target/leftovers.h"

namespace harness {
namespace {

// A report that was asked for: its file is open before anything is started.
struct WantedReport {
  const Reporter* reporter = nullptr;
  ReportFile file;
};

Result<std::vector<WantedReport>> open_reports(
    const std::vector<std::pair<std::string, std::string>>& wanted) {
  std::vector<WantedReport> reports;
  for (const auto& [format, path] : wanted) {
    const Reporter* reporter = find_reporter(format);
    if (!reporter) {
      return fail(ErrorKind::usage,
                  fmt::format("--report {}={}: {}", format, path, no_reporter(format)));
    }
    auto file = ReportFile::open(format, path);
    if (!file) return tl::unexpected(file.error());
    reports.push_back({reporter, std::move(*file)});
  }
  return reports;
}

Result<void> append_step_summary(const std::vector<Verdict>& verdicts, const ReportOptions& options) {
  const char* path = std::getenv("GITHUB_STEP_SUMMARY");
  if (!path || !*path) return {};
  const UniqueFd file(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file) {
    return fail(ErrorKind::environment, fmt::format("GITHUB_STEP_SUMMARY {} cannot be written: {}",
                                                    path, std::strerror(errno)));
  }
  const std::string text = step_summary(verdicts, options);
  if (::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return fail(ErrorKind::environment, fmt::format("GITHUB_STEP_SUMMARY {} could not be written", path));
}

class Runs {
 public:
  Runs(const CommandContext& context, const RunArguments& arguments, const Provider& provider,
       std::uint64_t seed)
      : context_(context), arguments_(arguments), provider_(provider), seed_(seed) {}

  std::vector<Verdict> all(const std::vector<Selected>& selected) {
    std::vector<Job> jobs;
    for (const auto& one : selected) {
      for (int round = 0; round < arguments_.repeat; ++round) {
        jobs.push_back({&one, seed_ + static_cast<std::uint64_t>(round)});
      }
    }
    Progress progress(context_.out, context_.terminal, context_.width, jobs.size());
    if (arguments_.jobs > 1 && jobs.size() > 1) {
      return run_side_by_side(context_, arguments_, provider_, jobs, progress);
    }
    return one_by_one(jobs, progress);
  }

 private:
  std::vector<Verdict> one_by_one(const std::vector<Job>& jobs, Progress& progress) {
    std::vector<Verdict> verdicts;
    Expressions expressions;  // compiled once for all: libjq takes 18 ms to start
    for (std::size_t run = 0; run < jobs.size(); ++run) {
      if (context_.stop.stop_requested()) break;
      progress.begin(run, jobs[run].selected->scenario);
      verdicts.push_back(run_selected(
          context_, arguments_, provider_, expressions, *jobs[run].selected, jobs[run].seed,
          [&progress, run](const Step& step) { progress.step(run, step.path, step.source); }));
      progress.end(run, verdicts.back());
      if (arguments_.fail_fast && ends_the_rest(verdicts.back())) break;
    }
    return verdicts;
  }

  const CommandContext& context_;
  const RunArguments& arguments_;
  const Provider& provider_;
  std::uint64_t seed_;
};

int report_all(const CommandContext& context, const RunArguments& arguments,
               std::vector<WantedReport>& reports, const std::vector<Verdict>& verdicts,
               const std::string& command, double seconds) {
  int status = exit_status(verdicts, arguments.allow_skip);
  const auto trouble = [&](const Error& error) {
    context.err << "aima-harness: " << to_string(error) << '\n';
    if (status != exit_fail) status = exit_error;
  };
  ReportOptions plain;
  plain.total_seconds = seconds;
  plain.command = command;
  ReportOptions screen = plain;
  screen.colour = context.colour;
  screen.width = context.width;
  bool on_screen = false;
  for (auto& report : reports) {
    if (!report.file.to_screen()) {
      auto written = report.file.write(report.reporter->render(verdicts, plain));
      if (!written) trouble(written.error());
    } else {
      context.out << report.reporter->render(verdicts, screen);
      on_screen = true;
    }
  }
  if (!on_screen) context.out << find_reporter("console")->render(verdicts, screen);
  if (auto appended = append_step_summary(verdicts, plain); !appended) trouble(appended.error());
  const char* github = std::getenv("GITHUB_ACTIONS");
  if (github && std::string(github) == "true") {
    for (const auto& line : annotations(verdicts)) context.out << line << '\n';
  }
  context.out.flush();
  if (!context.out) {
    trouble(Error{ErrorKind::environment, "standard output was closed or is full", {}, {}});
  }
  return status;
}

void tell_dead_runs(const CommandContext& context) {
  const auto dead = find_dead_runs();
  if (dead.empty()) return;
  context.err << fmt::format("note: {} earlier run{} ended without cleaning up ({}: {}); remove what "
                             "is left with `aima-harness clean`\n",
                             dead.size(), dead.size() == 1 ? "" : "s", (dead.front().folder.empty() ? dead.front().group
                                                           : dead.front().folder.string()),
                             dead.front().why);
}

}  // namespace

int command_run(const CommandContext& context, const RunArguments& arguments) {
  const Instant begin = Clock::now();
  auto reports = open_reports(arguments.reports);
  if (!reports) {
    context.err << to_string(reports.error()) << '\n';
    return exit_usage;
  }
  const bool takes_screen = std::any_of(reports->begin(), reports->end(),
                                        [](const WantedReport& report) { return report.file.to_screen(); });
  const auto prepared = prepare(context, arguments, "run", takes_screen, tell_dead_runs);
  if (!prepared) return prepared.error();
  const std::vector<Verdict> verdicts =
      Runs(prepared->progress, arguments, prepared->provider, prepared->seed)
          .all(prepared->set.scenarios);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  int status = report_all(context, arguments, *reports, verdicts,
                          repeat_command(context, arguments, prepared->set, prepared->seed),
                          seconds);
  if ((status == exit_pass || status == exit_inconclusive) && context.stop.stop_requested() && context.interrupts) {
    status = exit_signal_base + context.interrupts->signal();
  }
  return status;
}
}  // namespace harness

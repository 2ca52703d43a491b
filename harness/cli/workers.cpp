// Starting, listening to, stopping and burying the workers. One thread, one poll loop.
#include "harness/cli/workers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>

#include "harness/base/unique_fd.h"
#include "harness/cli/run_one.h"
#include "harness/faults/fault.h"
#include "harness/run/daemon_control.h"
#include "harness/run/interrupts.h"
#include "harness/target/leftovers.h"

extern char** environ;

namespace harness {
namespace {

// What taking a run down may need beside its own timeouts: healing, `finally`, the sweep.
constexpr Milliseconds take_down_time(120000);
constexpr Milliseconds clean_time(20000);
constexpr std::size_t longest_line = 64u << 20;  // a verdict; more is no answer of ours

struct Worker {
  std::size_t run = 0;  // number of its job
  pid_t pid = 0;
  UniqueFd pidfd, answers, errors;
  Instant deadline;
  std::string unread;
  std::optional<Verdict> verdict;
  Json answer;
  bool overdue = false;
};

tl::unexpected<Error> no(const char* what) {
  return fail(ErrorKind::environment, fmt::format("{}: {}", what, ::strerrordesc_np(errno)));
}

Json job_json(const CommandContext& context, const RunArguments& arguments,
              const Provider& provider, const Job& job) {
  Json settings = Json::object();
  for (const auto& [name, value] : arguments.selection.settings) settings[name] = value;
  return {{"parent", ::getpid()},
          {"file", job.selected->scenario.file},
          {"target", arguments.selection.target},
          {"settings", std::move(settings)},
          {"seed", job.seed},
          {"timeout_ms", arguments.timeout ? Json(arguments.timeout->count()) : Json()},
          {"contain", arguments.contain},
          {"keep", arguments.keep},
          {"root", context.root.string()},
          {"runs", context.runs.string()},
          {"provider", provider.name},
          {"why_native", provider.why_native},
          {"strike", job.strike}};
}

// Its standard input is a file in memory: no pipe that either side could wait for.
Result<UniqueFd> file_with(const std::string& text) {
  UniqueFd file(::memfd_create("aima-harness-job", MFD_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return no("a worker's job cannot be written");
  }
  return file;
}

Result<Worker> start_worker(const std::string& job) {
  auto input = file_with(job);
  if (!input) return tl::unexpected(input.error());
  Worker worker;
  worker.errors.reset(::memfd_create("aima-harness-errors", MFD_CLOEXEC));
  int ends[2];
  if (!worker.errors || ::pipe2(ends, O_CLOEXEC) != 0) return no("no descriptors for a worker");
  worker.answers.reset(ends[0]);
  const UniqueFd output(ends[1]);
  ::fcntl(worker.answers.get(), F_SETFL, O_NONBLOCK);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, input->get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, worker.errors.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // The signals that we read from a descriptor stay blocked in it, so none that we send comes too
  // early; a group of its own keeps those of the terminal away.
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  std::string name = "aima-harness", command = "run-worker";
  char* const argv[] = {name.data(), command.data(), nullptr};
  // Not by path: what runs is what was started, also while it is being built anew.
  errno = ::posix_spawn(&worker.pid, "/proc/self/exe", &actions, &attributes, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (errno != 0) return no("a worker cannot be started");
  // Ours and not reaped: the pid is still that process.
  worker.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, worker.pid, 0)));
  if (worker.pidfd) return worker;
  auto refused = no("pidfd_open is refused; Linux 5.3 or later is needed");
  ::kill(worker.pid, SIGKILL);
  ::waitpid(worker.pid, nullptr, 0);
  return refused;
}

void tell(const Worker& worker, int number) {
  ::syscall(SYS_pidfd_send_signal, worker.pidfd.get(), number, nullptr, 0);
}

void take_line(Worker& worker, const std::string& text, Progress& progress) {
  const Json line = Json::parse(text, nullptr, false);
  if (!line.is_object()) return;
  if (const auto step = line.find("step"); step != line.end() && step->is_object()) {
    progress.step(worker.run, step->value("path", ""), step->value("source", ""));
  } else if (line.contains("verdict")) {
    auto verdict = verdict_from_json(line["verdict"]);
    if (!verdict) return;
    verdict->folder = line.value("folder", "");
    worker.verdict = std::move(*verdict);
    worker.answer = line;
  }
}

void listen_to(Worker& worker, Progress& progress) {
  char chunk[65536];
  while (worker.answers) {
    const ssize_t got = ::read(worker.answers.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0 || worker.unread.size() > longest_line) {
      worker.answers.reset();
      return;
    }
    worker.unread.append(chunk, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = worker.unread.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      take_line(worker, worker.unread.substr(begin, end - begin), progress);
    }
    worker.unread.erase(0, begin);
  }
}

// The last that it wrote on its standard error.
std::string last_words(const Worker& worker) {
  char tail[2000];
  const off_t size = ::lseek(worker.errors.get(), 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(sizeof tail));
  const ssize_t got = ::pread(worker.errors.get(), tail, sizeof tail, from);
  std::string text(tail, got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// A worker that died took its daemon with it; what outlived it is found by its sandbox.
std::string remove_what_it_left(const Worker& worker, const std::stop_token& stop) {
  int removed = 0, left = 0;
  for (const auto& run : find_dead_runs()) {
    if (run.notes.value("pid", 0) != worker.pid) continue;
    for (const auto& item : clean_dead_run(run, heal_recorded, Limit::after(clean_time, stop))) {
      ++(item.value("removed", false) ? removed : left);
    }
  }
  if (left > 0) return fmt::format("; {} things that it left could not be removed: `aima-harness clean`", left);
  return removed > 0 ? fmt::format("; {} things that it left were removed", removed) : "";
}

class SideBySide {
 public:
  SideBySide(const CommandContext& context, const RunArguments& arguments, const Provider& provider,
             const std::vector<Job>& jobs, Progress& progress, const OnAnswer& on_answer)
      : context_(context),
        arguments_(arguments),
        provider_(provider),
        jobs_(jobs),
        progress_(progress),
        on_answer_(on_answer),
        verdicts_(jobs.size()) {}

  std::vector<Verdict> all() {
    // Whatever a stop is requested from, the loop below is what acts on it.
    const auto wake = [this] { ::eventfd_write(wake_.get(), 1); };
    const std::stop_callback stopped(context_.stop, wake);
    const std::stop_callback hurried(
        context_.interrupts ? context_.interrupts->hurry() : std::stop_token(), wake);
    while (true) {
      fill();
      if (workers_.empty()) break;
      wait();
      pass_on_signals();
      for (auto& worker : workers_) listen_to(worker, progress_);
      bury();
    }
    std::vector<Verdict> told;
    for (auto& verdict : verdicts_) {
      if (verdict) told.push_back(std::move(*verdict));
    }
    return told;
  }

 private:
  void fill() {
    const auto most = static_cast<std::size_t>(arguments_.jobs);
    while (workers_.size() < most && next_ < jobs_.size() && !ending_ &&
           !context_.stop.stop_requested()) {
      const std::size_t run = next_++;
      const Scenario& scenario = jobs_[run].selected->scenario;
      progress_.begin(run, scenario);
      auto worker = start_worker(job_json(context_, arguments_, provider_, jobs_[run]).dump());
      if (!worker) {
        settle(run, error_verdict(*jobs_[run].selected, jobs_[run].seed, to_string(worker.error())));
        continue;
      }
      worker->run = run;
      worker->deadline = Clock::now() + arguments_.timeout.value_or(scenario.timeout) +
                         jobs_[run].selected->target.shutdown_timeout + take_down_time;
      workers_.push_back(std::move(*worker));
    }
  }

  void wait() {
    std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
    Instant first = workers_.front().deadline;
    for (const auto& worker : workers_) {
      polled.push_back({worker.pidfd.get(), POLLIN, 0});
      polled.push_back({worker.answers ? worker.answers.get() : -1, POLLIN, 0});
      first = std::min(first, worker.deadline);
    }
    const Limit limit{first, {}};
    ::poll(polled.data(), polled.size(), static_cast<int>(limit.left().count()) + 1);
    eventfd_t ignored;
    if (polled.front().revents != 0) ::eventfd_read(wake_.get(), &ignored);
    for (auto& worker : workers_) {
      if (worker.overdue || Clock::now() < worker.deadline) continue;
      worker.overdue = true;
      tell(worker, SIGKILL);
    }
  }

  // The first and the second; of a third we die, and the kernel ends the workers.
  void pass_on_signals() {
    if (!context_.interrupts) return;
    const int number = context_.interrupts->signal();
    if (context_.stop.stop_requested() && !told_stop_) {
      told_stop_ = true;
      for (const auto& worker : workers_) tell(worker, number != 0 ? number : SIGTERM);
    }
    if (context_.interrupts->hurry().stop_requested() && !told_hurry_) {
      told_hurry_ = true;
      // Another number than the first: two pending signals of one number are one signal.
      for (const auto& worker : workers_) tell(worker, number == SIGTERM ? SIGINT : SIGTERM);
    }
  }

  void bury() {
    for (auto worker = workers_.begin(); worker != workers_.end();) {
      siginfo_t how = {};
      const auto pidfd = static_cast<id_t>(worker->pidfd.get());
      if (::waitid(P_PIDFD, pidfd, &how, WEXITED | WNOHANG) != 0 || how.si_pid == 0) {
        ++worker;
        continue;
      }
      listen_to(*worker, progress_);  // what it said last
      settle(worker->run, worker->verdict ? std::move(*worker->verdict) : no_answer(*worker, how),
             worker->answer);
      worker = workers_.erase(worker);
    }
  }

  Verdict no_answer(const Worker& worker, const siginfo_t& how) {
    const ExitOutcome outcome = how.si_code == CLD_EXITED
                                    ? ExitOutcome(Exited{how.si_status})
                                    : Signalled{how.si_status, how.si_code == CLD_DUMPED};
    std::string what = fmt::format("the harness process of this run (process {}) {}", worker.pid,
                                   worker.overdue ? "did not end in time and was killed"
                                                  : "ended without a verdict: " + to_string(outcome));
    what += remove_what_it_left(worker, context_.interrupts ? context_.interrupts->hurry()
                                                            : std::stop_token());
    if (const std::string said = last_words(worker); !said.empty()) what += "; its last words: " + said;
    return error_verdict(*jobs_[worker.run].selected, jobs_[worker.run].seed, what);
  }

  void settle(std::size_t run, Verdict verdict, const Json& answer = {}) {
    progress_.end(run, verdict);
    if (on_answer_) on_answer_(run, verdict, answer);
    ending_ = ending_ || (arguments_.fail_fast && ends_the_rest(verdict));
    verdicts_[run] = std::move(verdict);
  }

  const CommandContext& context_;
  const RunArguments& arguments_;
  const Provider& provider_;
  const std::vector<Job>& jobs_;
  Progress& progress_;
  const OnAnswer& on_answer_;
  std::vector<std::optional<Verdict>> verdicts_;
  std::vector<Worker> workers_;
  std::size_t next_ = 0;
  bool ending_ = false;  // --fail-fast: nothing more is started
  bool told_stop_ = false, told_hurry_ = false;
  UniqueFd wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

}  // namespace

bool ends_the_rest(const Verdict& verdict) {
  return verdict.answer != Answer::pass && !verdict.skipped;
}

std::vector<Verdict> run_side_by_side(const CommandContext& context, const RunArguments& arguments,
                                      const Provider& provider, const std::vector<Job>& jobs,
                                      Progress& progress, const OnAnswer& on_answer) {
  return SideBySide(context, arguments, provider, jobs, progress, on_answer).all();
}
}  // namespace harness

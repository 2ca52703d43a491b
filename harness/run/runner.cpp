// Builds a run, walks its steps, and takes it down again in the same order on every way out.
#include "harness/run/runner.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <utility>

#include "version.h"
#include "harness/base/prng.h"
#include "harness/history/event.h"
#include "harness/run/lateness.h"
#include "harness/run/step.h"
#include "harness/target/leftovers.h"
#include "harness/verdict/contradiction.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds finally_time(30000);
constexpr Milliseconds heal_time(10000);
constexpr Milliseconds sweep_time(20000);

Result<fs::path> make_folder(const RunOptions& options, const Scenario& scenario) {
  std::error_code error;
  fs::create_directories(options.runs, error);
  const std::string base = fmt::format("{}-{}-{}", utc_compact(), scenario.name, options.plan->seed);
  for (int copy = 1; copy < 10000 && !error; ++copy) {
    const fs::path folder = options.runs / (copy == 1 ? base : fmt::format("{}-{}", base, copy));
    if (fs::create_directory(folder, error)) return folder;
  }
  return fail(ErrorKind::environment,
              fmt::format("cannot make a folder for the run in {}: {}; --out moves it",
                          options.runs.string(), error ? error.message() : "all names are taken"));
}

Result<void> write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return {};
  return fail(ErrorKind::environment, fmt::format("cannot write {}: is the disk full?", path.string()));
}

void point_latest(const fs::path& folder) {
  std::error_code ignored;
  const fs::path link = folder.parent_path() / "latest";
  const fs::path draft = folder.parent_path() / fmt::format(".latest-{}", ::getpid());
  fs::remove(draft, ignored);
  fs::create_symlink(folder.filename(), draft, ignored);
  fs::rename(draft, link, ignored);
}

Json host_facts() {
  utsname name{};
  ::uname(&name);
  return {{"system", name.sysname},
          {"kernel", name.release},
          {"machine", name.machine},
          {"cores", std::thread::hardware_concurrency()}};
}

Redactor redactor_of(const Scenario& scenario, const RunOptions& options) {
  Redactor redactor;
  for (auto& value : secret_values(scenario, options.settings)) redactor.add_secret(std::move(value));
  return redactor;
}

std::string signal_text(const RunOptions& options) {
  const int number = options.signal ? options.signal() : 0;
  return number > 0 ? signal_name(number) : "";
}

// User and system time of this process, or of all children that it waited for.
std::int64_t cpu_us(int who) {
  rusage used = {};
  ::getrusage(who, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * std::int64_t{1000000} +
         used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

class Run {
 public:
  Run(const Scenario& scenario, const TargetProfile& target, const Provider& provider,
      Expressions& expressions, const RunOptions& options,
      std::vector<std::pair<std::string, std::string>> inputs)
      : scenario_(scenario),
        target_(target),
        provider_(provider),
        options_(options),
        inputs_(std::move(inputs)) {
    live_.plan = options.plan;
    live_.scenario = &scenario;
    live_.root = options.root;
    live_.settings = options.settings;
    live_.provider = &provider;
    live_.own_target = target;
    live_.stop = options.stop;
    live_.on_step = options.on_step;
    live_.saboteur = options.saboteur;
    live_.session.expressions = &expressions;
  }

  ~Run() { end_sabotage(); }  // where it could not even be set up

  Result<void> set_up(const fs::path& folder);
  void walk();
  void take_down();
  // Whether all of it could be written.
  Result<void> recorded() const {
    const std::string trouble = live_.recorder->trouble();
    if (trouble.empty()) return {};
    return fail(ErrorKind::environment, "the history could not be written: " + trouble);
  }

 private:
  void begin();
  bool skip_unmet();
  void run_finally();
  void note_interruption();
  void end_sabotage();
  void sweep();
  void end();

  const Scenario& scenario_;
  const TargetProfile& target_;
  const Provider& provider_;
  const RunOptions& options_;
  const std::vector<std::pair<std::string, std::string>> inputs_;  // name and text of stored files
  Live live_;
  std::optional<LatenessWatch> lateness_;  // after its recorder
  SequenceEnd stopped_;
  std::string skipped_;
  bool began_ = false;
  bool interrupted_ = false;
  // Before this run; a process runs one at a time.
  std::int64_t harness_cpu_us_ = cpu_us(RUSAGE_SELF);
  std::int64_t children_cpu_us_ = cpu_us(RUSAGE_CHILDREN);
};

Result<void> Run::set_up(const fs::path& folder) {
  auto recorder = Recorder::create(folder, redactor_of(scenario_, options_));
  if (!recorder) return tl::unexpected(recorder.error());
  live_.recorder = std::move(*recorder);
  lateness_.emplace(*live_.recorder);
  Session& session = live_.session;
  session.run_id = fmt::format("{:012x}", entropy_seed() & 0xffffffffffffULL);
  auto workspace = Workspace::create(session.run_id);
  if (!workspace) return tl::unexpected(workspace.error());
  live_.workspace = std::move(*workspace);
  session.target = target_;
  session.workspace = live_.workspace.get();
  session.recorder = live_.recorder.get();
  session.engine = provider_.engine;
  session.provider = !uses_provider(target_) ? "none"
                     : provider_.engine      ? provider_.engine->kind()
                                             : "native";
  session.limit = Limit::after(options_.timeout.value_or(scenario_.timeout), options_.stop);
  live_.daemon.attach(&session, live_.saboteur);
  live_.daemon.on_spawn = [this](std::shared_ptr<Child> daemon) {
    live_.triggers.daemon_started(std::move(daemon));
  };
  live_.daemon.fault_missing = [this] { return live_.unstruck > 0; };
  live_.debts.attach(live_.recorder.get(), live_.workspace.get());
  auto variables = variables_of(target_, scenario_.variables, options_.settings, *live_.workspace,
                                session.run_id, options_.root.string(), provider_.name);
  if (!variables) return tl::unexpected(variables.error());
  session.variables = std::move(*variables);
  Json found_by_clean = Json::object();
  if (provider_.engine) found_by_clean["engine"] = provider_.engine->host();
  if (auto files = substitute(target_.instance_files, session.variables); files && !files->empty()) {
    session.target.instance_files = *files;
    found_by_clean["instance_files"] = *files;
  }
  return live_.workspace->note(found_by_clean);  // with the ports; `clean` must find all of it
}

void Run::begin() {
  Json variables = Json::object();
  for (const auto& [name, value] : live_.session.variables) {
    variables[name] = scenario_.is_secret(name) ? Json("[secret]") : value;
  }
  std::string detail = provider_.detail;
  if (detail.empty()) {
    detail = provider_.why_native.empty() ? "native processes"
                                          : "native processes: " + provider_.why_native;
  }
  live_.recorder->record("run.begin", {{"run_id", live_.session.run_id},
                                       {"scenario", scenario_.name},
                                       {"file", scenario_.file},
                                       {"seed", std::to_string(options_.plan->seed)},
                                       {"harness_version", aima::version},
                                       {"utc", utc_now()},
                                       {"target", target_.name},
                                       {"command", target_.command},
                                       {"provider", live_.session.provider},
                                       {"provider_detail", detail},
                                       {"host", host_facts()},
                                       {"containment", live_.workspace->contained_by()},
                                       {"variables", std::move(variables)}});
  for (const auto& [name, text] : inputs_) live_.recorder->vouch(name, text);
  began_ = true;
}

bool Run::skip_unmet() {
  for (const auto& unmet : unmet_needs(scenario_.needs, provider_)) {
    skipped_ += (skipped_.empty() ? "needs " : "; ") + unmet;
  }
  return !skipped_.empty();
}

void Run::walk() {
  begin();
  if (skip_unmet()) return;
  stopped_ = run_sequence(live_, live_.session, scenario_.steps, live_.session.limit);
}

void Run::run_finally() {
  if (scenario_.finally_steps.empty() || options_.hurry.stop_requested() || !skipped_.empty()) return;
  live_.stop = options_.hurry;
  live_.session.limit = Limit::after(finally_time, options_.hurry);
  // Each of them has its chance: cleaning up does not end with the first that fails.
  for (const auto& step : scenario_.finally_steps) {
    (void)run_step(live_, live_.session, step, live_.session.limit);
    live_.daemon.notice_death();
  }
}

// Processes, containers and mounts of the run, counted and removed; then its sandbox.
void Run::sweep() {
  const Limit limit = Limit::after(sweep_time);
  Json found = Json::array();
  Json ended = Json::array();
  const bool killed = live_.daemon.killed_by_us();
  bool left_over = false;
  for (auto& item : clean_up(live_.session, limit)) {
    const std::string whose = item.value("whose", "harness");
    // What a daemon could not end because we killed it is no leak of its own, nor is a port that was
    // somebody else's before it could start.
    const bool strangers = item.value("kind", "") == "socket" && live_.daemon.port_is_strangers();
    const bool daemons = whose == "daemon" || whose == "unknown";
    const bool excused = whose == "run" || (daemons && killed) || strangers;
    const std::string kind = item.value("kind", "");  // what `clean` can end or remove
    left_over = left_over || (whose == "harness" && !item.value("removed", false) &&
                              (kind == "process" || kind == "container" || kind == "cgroup"));
    (excused ? ended : found).push_back(std::move(item));
  }
  if (options_.keep) {
    live_.workspace->keep();
  } else if (left_over) {
    live_.workspace->leave_to_clean();  // whose run.json says where containers are to be looked for
  } else if (auto removed = live_.workspace->remove(); !removed) {
    found.push_back({{"kind", "folder"},
                     {"what", removed.error().message},
                     {"whose", "harness"},
                     {"removed", false}});
  }
  live_.recorder->record("leftovers", {{"found", std::move(found)}, {"ended", std::move(ended)}});
}

void Run::end() {
  std::string reason = skipped_;
  if (!stopped_.stopped_at.empty()) {
    reason = fmt::format("step {}: {}", stopped_.stopped_at, stopped_.result.message);
  }
  Json fields = {{"duration_us", live_.recorder->now_us()},
                 {"stopped_at", stopped_.stopped_at},
                 {"reason", reason},
                 {"cpu_us", {{"harness", cpu_us(RUSAGE_SELF) - harness_cpu_us_},
                             {"children", cpu_us(RUSAGE_CHILDREN) - children_cpu_us_}}}};
  if (!skipped_.empty()) fields["skipped"] = true;
  live_.recorder->record("run.end", std::move(fields));
}

void Run::note_interruption() {
  if (interrupted_ || !options_.stop.stop_requested()) return;
  interrupted_ = true;
  live_.recorder->record("interrupted", {{"signal", signal_text(options_)}});
}

// Once no other thread can ask it anything; from here on the run is a true one.
void Run::end_sabotage() {
  live_.daemon.attach(&live_.session);
  if (Saboteur* saboteur = std::exchange(live_.saboteur, nullptr)) saboteur->finish();
}

void Run::take_down() {
  if (!began_) return;
  note_interruption();
  live_.triggers.stop_all();
  live_.groups.stop_all();
  end_sabotage();
  (void)live_.debts.pay("", Limit::after(heal_time));
  run_finally();
  live_.groups.stop_all();
  live_.triggers.stop_all();
  (void)live_.debts.pay("", Limit::after(heal_time));
  live_.daemon.end(options_.stop, options_.hurry);
  live_.daemon.release_socket();
  note_interruption();  // it may have come since, and cut short how the daemon was to end
  sweep();
  lateness_->finish();
  end();
}

}  // namespace

Result<RunOutcome> run_scenario(const Scenario& scenario, const TargetProfile& target,
                                const Provider& provider, Expressions& expressions,
                                const RunOptions& options) {
  auto folder = make_folder(options, scenario);
  if (!folder) return tl::unexpected(folder.error());
  const Redactor redactor = redactor_of(scenario, options);
  const std::vector<std::pair<std::string, std::string>> inputs = {
      {"scenario.yaml", text_without_secrets(scenario)},
      {"plan.json", redactor.json(to_json(*options.plan)).dump(1) + "\n"}};
  for (const auto& [name, text] : inputs) {
    if (auto kept = write_file(*folder / name, text); !kept) return tl::unexpected(kept.error());
  }
  (void)expressions.prepare(expressions_of(scenario, target));
  {
    Run run(scenario, target, provider, expressions, options, inputs);
    if (auto ready = run.set_up(*folder); !ready) return tl::unexpected(ready.error());
    run.walk();
    run.take_down();
    if (auto sound = run.recorded(); !sound) return tl::unexpected(sound.error());
  }
  point_latest(*folder);
  auto history = read_history((*folder / "history.jsonl").string());
  if (!history) return tl::unexpected(history.error());
  RunOutcome outcome{judge(scenario, *history, expressions), *folder};
  // What `judge` would refuse later is no pass now: it means that the harness itself went wrong. Not so
  // where the run was falsified on purpose.
  if (!options.saboteur) {
    mark_contradictions(outcome.verdict, contradictions(scenario, *history));
  }
  outcome.verdict.folder = folder->string();
  auto written = write_file(*folder / "verdict.json", sealed_text(outcome.verdict));
  if (!written) return tl::unexpected(written.error());
  if (outcome.verdict.answer == Answer::pass && !options.keep) {
    // In one step, so that a run that is killed here is not found with half of its evidence.
    std::error_code ignored;
    const fs::path going = *folder / ".evidence";
    fs::rename(*folder / "evidence", going, ignored);
    fs::remove_all(going, ignored);
  }
  return outcome;
}
}  // namespace harness

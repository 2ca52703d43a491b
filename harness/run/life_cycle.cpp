// start, stop and what they share.
#include "harness/run/life_cycle.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <sstream>

#include "harness/base/pattern.h"
#include "harness/clients/command.h"
#include "harness/run/snapshots.h"
#include "harness/run/world.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// `target:` of this start, or the scenario's own.
Result<void> choose_target(StepContext& context) {
  Live& live = context.live;
  const std::string wanted = context.arguments.text_or("target", "");
  TargetProfile profile = live.own_target;
  if (!wanted.empty()) {
    const std::string file = find_target(wanted, live.scenario->file, live.root.string());
    auto loaded = load_target(file.empty() ? wanted : file, live.root.string(), {});
    if (!loaded) {
      const Diagnostic& first = loaded.error().front();
      return fail(ErrorKind::invalid, first.message + (first.hint.empty() ? "" : "; " + first.hint),
                  first.where);
    }
    profile = std::move(*loaded);
  }
  if (context.session.instance > 0 && profile.file == context.session.target.file &&
      profile.name == context.session.target.name) {
    return {};
  }
  auto names = variables_of(profile, live.scenario->variables, live.settings, *live.workspace,
                            context.session.run_id, live.root.string(), live.provider->name);
  if (!names) return tl::unexpected(names.error());
  for (auto& [name, value] : *names) {
    if (!live.captured.contains(name)) context.session.variables[name] = value;
  }
  auto ready = resolved(profile, context.session.variables, *live.provider);
  if (!ready) return tl::unexpected(ready.error());
  context.session.target = std::move(*ready);
  return {};
}

// The original is only read. A sandbox that has data already is not written over.
Result<void> copy_data(StepContext& context, const std::string& folder) {
  const fs::path into = context.session.target.data;
  std::error_code error;
  // Beside the scenario, else below the root.
  fs::path from = fs::path(context.live.scenario->file).parent_path() / folder;
  if (!fs::is_directory(from, error)) from = context.live.root / folder;
  if (!fs::is_directory(from, error)) {
    return fail(ErrorKind::invalid, fmt::format("`data: {}`: there is no folder {}", folder, from.string()));
  }
  if (into.empty()) {
    return fail(ErrorKind::invalid, fmt::format("`data:`: target {} does not say where its data is",
                                                context.session.target.name));
  }
  if (fs::exists(into, error) && !fs::is_empty(into, error)) {
    return fail(ErrorKind::invalid,
                fmt::format("`data: {}`: this run has data in {} already; copy before the first start",
                            folder, into.string()));
  }
  fs::create_directories(into, error);
  fs::copy(from, into, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) {
    return fail(ErrorKind::environment, fmt::format("cannot copy {} to {}: {}", from.string(),
                                                    into.string(), error.message()));
  }
  fs::permissions(into, fs::perms::owner_all, fs::perm_options::replace, error);
  for (const auto& entry : fs::recursive_directory_iterator(into, error)) {
    if (!entry.is_symlink(error)) {
      fs::permissions(entry.path(), fs::perms::owner_read | fs::perms::owner_write,
                      fs::perm_options::add, error);
    }
  }
  return {};
}

// What a daemon may take for granted: its HOME, its TMPDIR, and a data folder outside its HOME (what
// is below HOME it makes itself, with the modes that it wants).
void make_folders(const TargetProfile& target) {
  std::error_code ignored;
  if (!target.home.empty()) fs::create_directories(target.home, ignored);
  const auto temporary = target.environment.find("TMPDIR");
  if (temporary != target.environment.end()) fs::create_directories(temporary->second, ignored);
  const bool own = !target.home.empty() && target.data.starts_with(target.home + "/");
  if (target.data.empty() || own || !fs::create_directories(target.data, ignored)) return;
  fs::permissions(target.data, fs::perms::owner_all, fs::perm_options::replace, ignored);
}

Result<std::string> matching_line(const std::string& output, const std::string& pattern) {
  const auto expression = Pattern::compile(pattern);
  if (!expression) return tl::unexpected(expression.error());
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto matches = expression->found_in(line);
    if (!matches) return tl::unexpected(matches.error());
    if (*matches) return line.substr(0, Pattern::looked_at);
  }
  return fail(ErrorKind::subject, fmt::format("no line of its output matches `{}`", pattern));
}

Result<Observation> refused_start(StepContext& context, const StartSeen& started) {
  const Json wanted = context.arguments.json("fails");
  const Json exit = wanted.is_object() && wanted.contains("exit") ? wanted["exit"] : Json();
  auto demand = exit_demand(exit);
  if (!demand) return tl::unexpected(demand.error());
  if (started.ready) {
    return fail(ErrorKind::subject,
                fmt::format("expected the start to be refused with {}, found the daemon ready after "
                            "{:.1f} ms",
                            demand->text(), started.after_ms));
  }
  if (!demand->met_by(*started.exit)) {
    return fail(ErrorKind::subject, fmt::format("expected the start to be refused with {}, found {}",
                                                demand->text(), to_string(*started.exit)));
  }
  Observation seen;
  seen.document = {{"exit", exit_json(*started.exit)}, {"elapsed_ms", started.after_ms}};
  seen.summary = fmt::format("start refused: {}", to_string(*started.exit));
  if (wanted.is_object() && wanted.contains("log")) {
    const std::string pattern = wanted["log"].is_string() ? wanted["log"].get<std::string>() : "";
    auto line = matching_line(context.session.daemon->output(), pattern);
    if (!line) return tl::unexpected(line.error());
    seen.document["log"] = *line;
    seen.summary += ": " + *line;
  }
  return seen;
}

}  // namespace

std::vector<KeyShape> start_keys() {
  return {{"target", ValueKind::text, false, "another target than the scenario's, on the same data"},
          {"data", ValueKind::text, false, "folder whose copy the daemon starts on"},
          {"args", ValueKind::text_list, false, "further arguments of the daemon, as a list or as a shell would split them"},
          {"activation", ValueKind::text, false,
           "`socket`: the harness listens on the port and passes the socket on (LISTEN_FDS), the same "
           "one at every start that says so; connections wait in it while no daemon runs",
           {"socket"}},
          {"fails", ValueKind::any, false,
           "the start is to be refused: {exit: 74, log: 'regular expression'}"}};
}

Result<Observation> start_daemon(StepContext& context) {
  if (context.branch) return fail(ErrorKind::invalid, "`start` cannot stand beside other steps");
  const Arguments& arguments = context.arguments;
  if (auto chosen = choose_target(context); !chosen) {
    context.live.daemon.could_not_start(context.step.path, chosen.error().message);
    return tl::unexpected(chosen.error());
  }
  Session& session = context.session;
  if (session.target.command.empty()) {
    return fail(ErrorKind::invalid,
                fmt::format("target {} has no command that could be started", session.target.name));
  }
  make_folders(session.target);
  if (arguments.has("data")) {
    auto copied = copy_data(context, arguments.text_or("data", ""));
    if (!copied) return tl::unexpected(copied.error());
  }
  auto extra = arguments.texts("args");
  if (const Node* written = arguments.node("args"); written && written->is_scalar()) {
    auto words = split_words(written->text);
    if (!words) return tl::unexpected(words.error());
    extra = std::move(*words);
  }
  StartRequest request{context.step.path, std::move(extra), arguments.has("fails"),
                       arguments.has("activation")};
  auto started = context.live.daemon.start(request, context.limit);
  if (!started) return tl::unexpected(started.error());
  if (request.refusal) return refused_start(context, *started);
  if (auto listed = take_baseline(context); !listed) return tl::unexpected(listed.error());
  Observation seen;
  seen.document = {{"ready_after_ms", started->after_ms},
                   {"by", started->by},
                   {"pid", started->pid},
                   {"instance", session.instance}};
  seen.summary = fmt::format("ready after {:.1f} ms (by {})", started->after_ms, started->by);
  return seen;
}

Milliseconds leave_time(const Session& session) {
  return session.target.shutdown_timeout + Milliseconds(1000);
}

Result<int> signal_of(const Arguments& arguments, std::string_view key) {
  const std::string name = arguments.text_or(key, "TERM");
  const auto number = signal_number(name);
  if (!number) {
    return fail(ErrorKind::invalid, fmt::format("`{}` is no signal: TERM, KILL, INT, HUP, …", name),
                arguments.node(key) ? std::optional(arguments.node(key)->span) : std::nullopt);
  }
  return *number;
}

Result<ExitSeen> stop_daemon(StepContext& context, int signal, const ExitDemand& demand,
                             Milliseconds patience) {
  const std::string& step = context.step.path;
  if (auto sent = context.live.daemon.signal(step, signal); !sent) return tl::unexpected(sent.error());
  auto seen = context.live.daemon.await_exit(step, demand, !context.step.criterion.empty(),
                                             context.limit.within(patience));
  if (!seen || !demand.any()) return seen;
  const auto* signalled = std::get_if<Signalled>(&seen->outcome);
  if ((signalled && signalled->signal == signal) || ExitDemand{0, {}}.met_by(seen->outcome)) {
    return seen;
  }
  return fail(ErrorKind::subject, fmt::format("after SIG{}: expected exit 0, found {}",
                                              signal_name(signal), to_string(seen->outcome)));
}

tl::unexpected<Error> too_late(const StepContext& context, std::string message) {
  if (context.limit.stopped()) return fail(ErrorKind::stopped, "stopped: " + message);
  if (context.session.limit.expired()) {
    return fail(ErrorKind::timeout, "the scenario's timeout passed: " + message);
  }
  return fail(ErrorKind::subject, std::move(message));
}
}  // namespace harness

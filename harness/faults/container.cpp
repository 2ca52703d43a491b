// container: the daemon's engine is killed, paused, stopped or removed behind its back, whichever
// provider it runs under. Only what carries the run's label is ever touched.
#include <signal.h>

#include <filesystem>

#include "harness/faults/common.h"
#include "harness/faults/rows.h"
#include "harness/target/containment.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

const std::vector<std::string> actions{"kill", "pause", "stop", "remove"};

StepShape shape_of_container() {
  return {"container",
          "fault",
          "Kills, pauses, stops or removes the container (or native engine) with a label, behind the "
          "daemon's back; proof: the engine's inspect, or /proc.",
          "label",
          {{"label", ValueKind::text, true, "KEY or KEY=VALUE; with the run's own label added"},
           {"action", ValueKind::text, false, "what happens to it (kill)", actions}},
          false,
          false,
          "fault: {container: {label: \"aima.service=${service_id}\", action: kill}}"};
}

bool as_wanted(const std::string& action, const Json& state) {
  if (action == "pause") return state.value("Paused", false);
  return !state.value("Running", true);
}

// Containers of a Docker or Podman engine.
class Containers : public PreparedFault {
 public:
  Containers(EngineClient engine, std::string action, std::vector<std::string> ids)
      : engine_(std::move(engine)), action_(std::move(action)), ids_(std::move(ids)) {}

  Json undo() const override {
    return {{"fault", "container"}, {"action", action_}, {"engine", engine_.host()}, {"ids", ids_}};
  }

  Result<Json> strike(const Limit& limit) override {
    Json evidence = Json::array();
    for (const auto& id : ids_) {
      const auto before = engine_.inspect(id, limit);
      if (!before) return tl::unexpected(before.error());
      if (action_ != "remove" && as_wanted(action_, before->value("State", Json::object())))
        return fail(ErrorKind::environment, "container " + id + " was to " + action_ +
                                                ", and was that before: nothing was struck");
      auto acted = engine_.act(action_, id, limit);
      Json state;
      const auto shows = [&] {
        auto inspected = engine_.inspect(id, limit);
        if (!inspected) return action_ == "remove";  // 404 is what removal looks like
        state = inspected->value("State", Json::object());
        return action_ != "remove" && as_wanted(action_, state);
      };
      if (!acted) return tl::unexpected(acted.error());
      if (!poll_until(shows, -1, limit.within(proof_time)))
        return fail(ErrorKind::environment, "container " + id + " was to " + action_ +
                                                ", and inspect still shows " + state.dump());
      evidence.push_back({{"id", id}, {"action", action_}, {"state", state}});
    }
    return evidence;
  }

  Result<Json> heal(const Limit& limit) override { return unpause(undo(), limit); }

  static Result<Json> unpause(const Json& undo, const Limit& limit) {
    if (undo.value("action", "") != "pause") return Json{{"undo", "none: what is gone stays gone"}};
    auto engine = EngineClient::connect(undo.value("engine", ""), limit);
    if (!engine) return tl::unexpected(engine.error());
    for (const auto& id : undo["ids"]) {
      const auto inspected = engine->inspect(id.get<std::string>(), limit);
      if (!inspected || !inspected->value("State", Json::object()).value("Paused", false)) continue;
      if (auto done = engine->act("unpause", id.get<std::string>(), limit); !done)
        return tl::unexpected(done.error());
    }
    return Json{{"unpaused", undo["ids"]}};
  }

 private:
  EngineClient engine_;
  std::string action_;
  std::vector<std::string> ids_;
};

// Native engines: processes that an instance file names.
class Natives : public PreparedFault {
 public:
  Natives(std::string action, std::vector<NativeEngine> engines)
      : action_(std::move(action)), engines_(std::move(engines)) {}

  Json undo() const override {
    Json processes = Json::array();
    for (const auto& engine : engines_) processes.push_back(identity(engine));
    return {{"fault", "container"}, {"action", action_}, {"processes", processes}};
  }

  Result<Json> strike(const Limit& limit) override {
    Json evidence = Json::array();
    for (const auto& engine : engines_) {
      if (gone(engine) || (action_ == "pause" && state_of(engine) == 'T'))
        return fail(ErrorKind::environment, "engine process " + std::to_string(engine.process.pid) +
                                                " had ended or was stopped before: nothing was struck");
      const Milliseconds most = action_ == "stop" ? 3 * proof_time : proof_time;
      if (auto done = act(engine, limit.within(most)); !done)
        return tl::unexpected(done.error());
      const std::string state(1, state_of(engine));
      evidence.push_back({{"engine", engine.process.engine},
                          {"pid", engine.process.pid},
                          {"action", action_},
                          {"state", state}});
    }
    return evidence;
  }

  Result<Json> heal(const Limit&) override { return resume(undo()); }

  static Result<Json> resume(const Json& undo) {
    if (undo.value("action", "") != "pause") return Json{{"undo", "none: what is gone stays gone"}};
    for (const auto& process : undo["processes"])
      if (auto sent = signal_recorded(process, SIGCONT); !sent) return tl::unexpected(sent.error());
    return Json{{"resumed", undo["processes"]}};
  }

 private:
  static Json identity(const NativeEngine& engine) {
    return {{"pid", engine.process.pid}, {"start_ticks", engine.process.start_ticks}};
  }
  static char state_of(const NativeEngine& engine) {
    const auto now = read_process(engine.process.pid);
    return now && now->start_ticks == engine.process.start_ticks ? now->state : '?';
  }
  static bool gone(const NativeEngine& engine) {
    const char state = state_of(engine);
    return state == '?' || state == 'Z' || state == 'X';
  }

  Result<void> act(const NativeEngine& engine, const Limit& limit) {
    if (action_ == "kill" || action_ == "remove") {
      auto ended = end_process(engine.process, limit);
      std::error_code ignored;
      if (ended && action_ == "remove") std::filesystem::remove(engine.file, ignored);
      return ended;
    }
    const int number = action_ == "pause" ? SIGSTOP : SIGTERM;
    if (auto sent = signal_recorded(identity(engine), number); !sent)
      return tl::unexpected(sent.error());
    const bool done = poll_until(
        [&] { return action_ == "pause" ? state_of(engine) == 'T' : gone(engine); }, -1, limit);
    if (done) return {};
    return fail(ErrorKind::environment, "engine process " + std::to_string(engine.process.pid) +
                                            " was to " + action_ + ", and its state is " +
                                            state_of(engine));
  }

  std::string action_;
  std::vector<NativeEngine> engines_;
};

bool carries(const NativeEngine& engine, const std::string& label) {
  const auto equals = label.find('=');
  const auto found = engine.labels.find(label.substr(0, equals));
  if (found == engine.labels.end()) return false;
  return equals == std::string::npos || found->second == label.substr(equals + 1);
}

Result<std::unique_ptr<PreparedFault>> prepare_container(Session& session,
                                                         const Arguments& arguments) {
  const auto label = arguments.text("label");
  if (!label) return tl::unexpected(label.error());
  const std::string action = arguments.text_or("action", "kill");
  if (std::find(actions.begin(), actions.end(), action) == actions.end())
    return fail(ErrorKind::invalid, "`" + action + "` is none of: kill, pause, stop, remove");
  std::vector<NativeEngine> engines = native_engines(session.run_id, session.target.instance_files);
  std::erase_if(engines, [&](const auto& engine) { return !carries(engine, *label); });
  if (!engines.empty()) return std::make_unique<Natives>(action, std::move(engines));
  std::vector<std::string> ids;
  if (session.engine) {
    const auto limit = session.limit.within(Milliseconds(10000));
    const auto listed = session.engine->list({*label, "aima.run=" + session.run_id}, limit);
    if (!listed) return tl::unexpected(listed.error());
    for (const auto& container : *listed) ids.push_back(container.value("id", ""));
  }
  if (!ids.empty()) return std::make_unique<Containers>(*session.engine, action, std::move(ids));
  return fail(ErrorKind::environment,
              "no container and no native engine of this run carries the label " + *label +
                  "; start the service in a step before");
}

Result<Json> heal_recorded_container(const Json& undo, const Limit& limit) {
  return undo.contains("engine") ? Containers::unpause(undo, limit) : Natives::resume(undo);
}
}  // namespace

const Fault container_fault{shape_of_container, prepare_container, heal_recorded_container};
}  // namespace harness

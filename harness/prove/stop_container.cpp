// stop-container and remove-container: an engine dies or is removed behind the daemon's back; with
// the native provider it is the process that an instance file names.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/engines.h"
#include "harness/prove/rows.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

bool asks_elsewhere(const Step& step) {
  const Node* request = step.arguments.find("request");
  if (step.kind != "http" || !request || !request->is_scalar()) return false;
  const auto blank = request->text.find(' ');
  return blank != std::string::npos && blank + 1 < request->text.size() &&
         request->text[blank + 1] != '/';
}

bool looks_at_engines(const Step& step) {
  return step.kind == "containers" || asks_elsewhere(step);
}

// Where a step names one service, only its engine is meant.
bool means(const Step& step, const std::string& role) {
  const Node* label = step.arguments.find("label");
  if (!label || !label->is_scalar() || label->text.find("${") == std::string::npos) return true;
  return label->text.find("${" + role + "}") != std::string::npos;
}

// Whether a criterion of this step is about engines, as the scenario says.
bool judges_engines(const Scenario& scenario, const Step& step) {
  const Criterion* criterion = scenario.criterion(step.criterion);
  return looks_at_engines(step) || (criterion && criterion->containers);
}

// Gaps after which somebody looks at engines.
std::vector<Place> engines_in_gaps(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  const auto looks = [&](const Passage& one) {
    return judges_engines(subject.scenario, *one.step);
  };
  for (const Passage* gap : course.gaps()) {
    if (!looks(*gap) && !course.next(*gap, looks)) continue;
    if (!gap->survey || !gap->survey->contains("engines")) continue;
    for (const auto& role : (*gap->survey)["engines"]) {
      places.push_back({role.get<std::string>(), gap->step->path});
    }
  }
  return places;
}

std::vector<Place> engines_to_stop(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places = engines_in_gaps(subject);
  // Who is hurt in a gap is missed by all that look before the daemon is back.
  std::set<std::string> missing;
  for (const auto& passage : course.passages()) {
    const Step& step = *passage.step;
    if (!looks_at_engines(step)) {
      missing.clear();
      if (passage.down_after() && passage.survey && passage.survey->contains("engines")) {
        for (const auto& role : (*passage.survey)["engines"])
          missing.insert(role.get<std::string>());
      }
      continue;
    }
    if (!judged(step) || !passage.survey || !passage.survey->contains("engines")) continue;
    for (const auto& role : (*passage.survey)["engines"]) {
      const std::string name = role.get<std::string>();
      if (means(step, name) && missing.insert(name).second) places.push_back({name, step.path});
    }
  }
  return places;
}

bool still_there(Live& live, const SeenEngine& engine, bool removed, const Limit& limit) {
  auto engines = engines_of(live, limit);
  if (!engines) return true;
  return std::any_of(engines->begin(), engines->end(), [&](const SeenEngine& one) {
    if (one.native) return engine.native && one.native->process.pid == engine.native->process.pid;
    return one.id == engine.id && (removed || one.running);
  });
}

Result<std::string> hurt(Live& live, const std::string& role, bool removed, const Limit& limit) {
  auto engines = engines_of(live, limit);
  if (!engines) return tl::unexpected(engines.error());
  for (const auto& engine : *engines) {
    if (engine.role != role || !engine.running) continue;
    Result<void> done;
    if (engine.native) {
      done = end_process(engine.native->process, limit);
      std::error_code error;
      if (done && removed) std::filesystem::remove(engine.native->file, error);
    } else {
      done = live.session.engine->act(removed ? "remove" : "kill", engine.id, limit);
    }
    if (!done) return tl::unexpected(done.error());
    if (!poll_until([&] { return !still_there(live, engine, removed, limit); }, -1, limit)) {
      return fail(ErrorKind::environment, fmt::format("{} is still there", engine.name));
    }
    return fmt::format("{} {} ({})", removed ? "removed" : "killed", engine.name, role);
  }
  return fail(ErrorKind::environment, fmt::format("no engine of {} was running", role));
}

std::unique_ptr<Strike> strike_engine(const ProofSubject& subject, const Place& place,
                                      bool removed) {
  const Course course(subject);
  const Passage* passage = course.find(place.step);
  const bool gap = passage && passage->died;
  return strike_once(subject, place, gap ? Moment::in_gap : Moment::before_step,
                     [role = place.detail, removed](Live& live, const Limit& limit) {
                       return hurt(live, role, removed, limit);
                     });
}

std::unique_ptr<Strike> stop_engine(const ProofSubject& subject, const Place& place) {
  return strike_engine(subject, place, false);
}
std::unique_ptr<Strike> remove_engine(const ProofSubject& subject, const Place& place) {
  return strike_engine(subject, place, true);
}

}  // namespace

const WorldSabotage stop_container = {"stop-container", "an engine dies behind the daemon's back",
                                      engines_to_stop, stop_engine};
const WorldSabotage remove_container = {"remove-container",
                                        "an engine is removed while the daemon is down",
                                        engines_in_gaps, remove_engine};
}  // namespace harness

// Rules about the lives of the daemon: started once, then ready, then gone, always the same process.
#include <array>
#include <map>

#include <fmt/format.h>

#include "harness/verdict/contradiction.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

// The events of one life, the last of each kind so far.
struct LifeSoFar {
  const Event* start = nullptr;
  const Event* ready = nullptr;
  const Event* not_started = nullptr;  // after its start
  const Event* exit = nullptr;
};

// Calls back with each event that names an instance and what is known of that one before it.
template <typename Look>
void through_lives(const Told& told, Look look) {
  std::map<std::int64_t, LifeSoFar> lives;
  for (const auto& event : told.history.events) {
    const auto instance = event.fields.find("instance");
    if (instance == event.fields.end() || !instance->is_number_integer()) continue;
    LifeSoFar& life = lives[instance->get<std::int64_t>()];
    look(event, life);
    if (event.kind == "daemon.start") life.start = &event;
    if (event.kind == "daemon.ready") life.ready = &event;
    if (event.kind == "daemon.exit") life.exit = &event;
    // One that could not even be tried carries the number that the next start takes.
    if (event.kind == "daemon.not_started" && life.start) life.not_started = &event;
  }
}

void started_twice(const Told& told, std::string_view name, Contradictions& found) {
  through_lives(told, [&](const Event& event, const LifeSoFar& life) {
    if (event.kind != "daemon.start" || !life.start) return;
    clash(found, name, life.start, event, "starts the instance that was started by");
  });
}

void never_started(const Told& told, std::string_view name, Contradictions& found) {
  through_lives(told, [&](const Event& event, const LifeSoFar& life) {
    const bool needs = event.kind == "daemon.ready" || event.kind == "daemon.exit" ||
                       event.kind == "signal.sent" || event.kind == "process.state";
    if (!needs || life.start) return;
    clash(found, name, nullptr, event,
          fmt::format("is about instance {}, which was not started before",
                      integer_of(event.fields, "instance")));
  });
}

void ready_when_not(const Told& told, std::string_view name, Contradictions& found) {
  through_lives(told, [&](const Event& event, const LifeSoFar& life) {
    if (event.kind == "daemon.ready") {
      if (life.ready) clash(found, name, life.ready, event, "repeats what was said by");
      if (life.exit) clash(found, name, life.exit, event, "says ready of a daemon that had ended by");
      if (life.not_started) {
        clash(found, name, life.not_started, event, "says ready of a start that had failed by");
      }
    }
    if (event.kind == "daemon.not_started" && life.ready) {
      clash(found, name, life.ready, event, "says that a daemon did not start that was ready by");
    }
  });
}

void ended_twice(const Told& told, std::string_view name, Contradictions& found) {
  through_lives(told, [&](const Event& event, const LifeSoFar& life) {
    if (event.kind != "daemon.exit" || !life.exit) return;
    clash(found, name, life.exit, event, "is a second end of the daemon that ended by");
  });
}

void another_process(const Told& told, std::string_view name, Contradictions& found) {
  through_lives(told, [&](const Event& event, const LifeSoFar& life) {
    if (!life.start || event.kind == "daemon.start" || !event.fields.contains("pid")) return;
    const auto pid = integer_of(event.fields, "pid");
    if (pid == integer_of(life.start->fields, "pid")) return;
    clash(found, name, life.start, event,
          fmt::format("says process {} of an instance that is process {} by", pid,
                      integer_of(life.start->fields, "pid")));
  });
}

void signal_to_the_dead(const Told& told, std::string_view name, Contradictions& found) {
  through_lives(told, [&](const Event& event, const LifeSoFar& life) {
    if (event.kind != "signal.sent" || !life.exit) return;
    clash(found, name, life.exit, event, "signals a daemon whose end was seen by");
  });
}

void two_deaths(const Told& told, std::string_view name, Contradictions& found) {
  for (const auto& event : told.history.events) {
    if (event.kind != "daemon.exit") continue;
    const auto code = event.fields.find("code");
    const auto signal = event.fields.find("signal");
    if (code == event.fields.end() || signal == event.fields.end()) continue;
    if (code->is_null() || signal->is_null()) continue;
    clash(found, name, nullptr, event,
          fmt::format("says both exit status {} and signal {}", compact(*code), compact(*signal)));
  }
}

// Who is said to have asked for a death did: a step that sends signals sent one, a fault was owed.
void asked_by_nobody(const Told& told, std::string_view name, Contradictions& found) {
  std::map<std::string, bool> struck;
  std::map<std::pair<std::string, std::int64_t>, bool> sent;
  std::map<std::string, bool> begun;
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    if (event.kind == "step.begin") begun[path] = true;
    if (event.kind == "signal.sent") sent[{path, integer_of(event.fields, "instance")}] = true;
    if (event.kind == "fault.debt") struck[path] = true;
    const std::string asked = event.kind == "daemon.exit" ? name_in(event, "asked") : "";
    const Step* step = asked.empty() ? nullptr : told.step(asked);
    if (asked.empty() || asked == "end" || told.runs_beside(asked)) {
      // An `await` sees a death that it did not cause; the end of a run needs no step.
      if (!asked.empty() && asked != "end" && !begun.contains(asked) && step) {
        clash(found, name, nullptr, event,
              fmt::format("was asked for by step {}, which had not begun", asked));
      }
      continue;
    }
    const bool signals = step && (step->kind == "signal" || step->kind == "stop" ||
                                  step->kind == "restart" || step->kind == "pause");
    const bool did = sent.contains({asked, integer_of(event.fields, "instance")}) ||
                     struck.contains(asked);
    if (step && begun.contains(asked) && (did || (!signals && step->kind != "fault"))) continue;
    clash(found, name, nullptr, event,
          fmt::format("was asked for by step {}, which {}", asked,
                      !step                    ? "the scenario does not have"
                      : !begun.contains(asked) ? "had not begun"
                                               : "had sent no signal to it"));
  }
}

constexpr std::array<ContradictionRule, 8> kDaemonRules = {{
    {"started-twice", "an instance is started once", started_twice},
    {"never-started", "what happens to an instance comes after its start", never_started},
    {"ready-when-not", "a daemon is ready once, while it lives", ready_when_not},
    {"ended-twice", "a daemon ends once", ended_twice},
    {"another-process", "an instance is one process", another_process},
    {"signal-to-the-dead", "no signal is sent to a daemon whose end was seen", signal_to_the_dead},
    {"two-deaths", "a daemon exits or is killed, not both", two_deaths},
    {"asked-by-nobody", "the step that asked for a death did so", asked_by_nobody},
}};

}  // namespace

std::span<const ContradictionRule> daemon_rules() { return kDaemonRules; }

}  // namespace harness

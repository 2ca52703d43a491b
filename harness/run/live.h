// One run while it lives: what the step executors share. Built and torn down by runner.cpp alone.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "harness/plan/plan.h"
#include "harness/run/daemon_control.h"
#include "harness/run/groups.h"
#include "harness/run/heal_stack.h"
#include "harness/run/saboteur.h"
#include "harness/run/triggers.h"
#include "harness/run/workload.h"
#include "harness/run/world.h"
#include "harness/scenario/scenario.h"
#include "harness/target/session.h"

namespace harness {

struct Live {
  const Scenario* scenario = nullptr;
  std::filesystem::path root;        // holds fixtures/targets/
  std::map<std::string, std::string> settings;  // --set
  const Provider* provider = nullptr;
  const Plan* plan = nullptr;        // when faults strike
  TargetProfile own_target;          // the scenario's, texts not replaced yet
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<Workspace> workspace;
  Session session;                   // points at the two above
  Saboteur* saboteur = nullptr;      // none in a true run
  DaemonControl daemon;
  HealStack debts;
  WorkloadProgress progress;
  Groups groups;                     // after what its threads use
  Triggers triggers;
  std::stop_token stop;              // of the steps; heal and finally have their own

  // Expressions are not thread-safe and background steps use them too.
  std::mutex evaluation;
  // Names captured so far, bound as $name; a branch has its own copy in its session.
  std::set<std::string> captured;
  // Keys that each domain held right after the first start: not created by this run.
  std::map<std::string, std::set<std::string>> baseline;
  bool has_baseline = false;
  std::set<std::string> snapshots;   // names taken so far
  std::atomic<int> requests{0};
  std::atomic<int> unstruck{0};      // faults that were to strike, or still are, and have not
  std::function<void(const Step&)> on_step;  // live progress; may be empty

  double at_ms(Instant instant) const {
    return static_cast<double>(recorder->at_us(instant)) / 1000.0;
  }
};
}  // namespace harness

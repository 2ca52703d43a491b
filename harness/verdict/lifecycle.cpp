// The implicit criterion `run`: the daemon started when asked, was ready in time, died only when
// and how it was made to, was gone in time, and left nothing behind.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

// Something about one life of the daemon, before it becomes a check.
struct Breach {
  Answer answer = Answer::fail;
  std::string step;  // the one that asked
  std::string text;
  std::string expected;
  bool crash = false;  // by itself: no criterion can have asked for it
  const InstanceRecord* instance = nullptr;
};

std::string signal_name(const Json& fields) {
  const auto signal = fields.find("signal");
  if (signal == fields.end() || signal->is_null()) return {};
  if (signal->is_string()) {
    const std::string name = signal->get<std::string>();
    return name.empty() || name.starts_with("SIG") ? name : "SIG" + name;
  }
  if (!signal->is_number_integer() || signal->get<int>() == 0) return {};
  const char* name = sigabbrev_np(signal->get<int>());
  return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", signal->get<int>());
}

std::string death_of(const Json& fields) {
  const std::string signal = signal_name(fields);
  if (signal.empty()) return fmt::format("exit status {}", integer_of(fields, "code"));
  return signal + (boolean_of(fields, "core") ? " (core dumped)" : "");
}

bool is_crash(const std::string& signal) {
  constexpr std::array crashes = {"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS"};
  return std::find(crashes.begin(), crashes.end(), signal) != crashes.end();
}

bool kill_was_sent(const RunRecord& record, const Event& exit) {
  // At the end of a run the harness kills what did not go: the exit itself says so.
  if (text_of(exit.fields, "reason").ends_with("ended by the harness")) return true;
  for (const Event* sent : record.signals) {
    if (sent->n < exit.n && signal_name(sent->fields) == "SIGKILL" &&
        integer_of(sent->fields, "pid") == integer_of(exit.fields, "pid")) {
      return true;
    }
  }
  return false;
}

Breach exit_breach(const RunRecord& record, const InstanceRecord& instance) {
  const Event& exit = *instance.exit;
  const std::string signal = signal_name(exit.fields);
  Breach breach;
  breach.instance = &instance;
  breach.step = text_of(exit.fields, "asked");
  const std::string who =
      fmt::format("daemon instance {} (pid {})", integer_of(exit.fields, "instance"),
                  integer_of(exit.fields, "pid"));
  breach.expected = breach.step.empty() ? "the daemon keeps running until it is told to end"
                                        : "the daemon ends as and when it is told to";
  if (is_crash(signal)) {
    breach.crash = true;
    breach.text = fmt::format("{} crashed: {}", who, death_of(exit.fields));
  } else if (signal == "SIGKILL" && !kill_was_sent(record, exit)) {
    breach.answer = Answer::inconclusive;
    const std::string memory = text_of(exit.fields, "oom");
    breach.text = fmt::format("{} was killed by SIGKILL, which the harness did not send; {}", who,
                              memory.empty() ? "the out-of-memory killer or another user did"
                                             : "out of memory: " + memory);
  } else if (breach.step.empty()) {
    breach.crash = true;
    breach.text = fmt::format("{} ended by itself: {}", who, death_of(exit.fields));
  } else {
    const auto after_ms = static_cast<double>(integer_of(exit.fields, "after_us")) / 1000.0;
    breach.text = fmt::format("{} did not end as asked by step {}: {} {:.0f} ms after it was asked",
                              who, breach.step, death_of(exit.fields), after_ms);
  }
  const std::string reason = one_line(text_of(exit.fields, "reason"), 160);
  if (!reason.empty()) breach.text += "; " + reason;
  return breach;
}

std::string step_of_start(const InstanceRecord& instance) {
  if (instance.not_started != nullptr) {
    const std::string own = text_of(instance.not_started->fields, "step");
    if (!own.empty()) return own;
  }
  return instance.start != nullptr ? text_of(instance.start->fields, "step") : "";
}

// A start that did not come to be: asked for by the scenario if its step ended ok.
std::vector<Breach> start_breach(const RunRecord& record, const InstanceRecord& instance) {
  const Event& event = *instance.not_started;
  Breach breach;
  breach.instance = &instance;
  breach.step = step_of_start(instance);
  breach.expected = "the daemon starts and is ready in time";
  const std::string kind = text_of(event.fields, "kind");
  breach.text =
      fmt::format("daemon instance {} did not start ({}): {}", integer_of(event.fields, "instance"),
                  kind, one_line(text_of(event.fields, "reason")));
  const Event* end = record.end_after(breach.step, event.n);
  if (end != nullptr && text_of(end->fields, "outcome") == "ok") return {};
  if (kind == "exec" || kind == "port") breach.answer = Answer::error;
  breach.crash = instance.exit != nullptr && is_crash(signal_name(instance.exit->fields));
  return {breach};
}

std::vector<Breach> instance_breaches(const RunRecord& record, const InstanceRecord& instance) {
  if (instance.not_started != nullptr) return start_breach(record, instance);
  if (instance.exit != nullptr) {
    if (boolean_of(instance.exit->fields, "expected")) return {};
    return {exit_breach(record, instance)};
  }
  Breach breach;
  breach.instance = &instance;
  breach.answer = Answer::inconclusive;
  breach.step = step_of_start(instance);
  breach.expected = "the end of every daemon is seen";
  breach.text = instance.ready != nullptr ? "the end of the daemon was not recorded"
                                          : "the daemon was never seen ready, nor its end";
  return {breach};
}

bool is_life_cycle(const Step& step) {
  if (step.kind == "start" || step.kind == "stop" || step.kind == "restart") return true;
  return step.kind == "await" &&
         (step.arguments.find("exit") != nullptr || step.arguments.find("ready") != nullptr);
}

// Untagged life cycle steps that failed without an event of the daemon that says why (it hangs).
std::vector<Breach> hung_breaches(const JudgeInput& input, const std::vector<Breach>& known) {
  std::vector<Breach> out;
  for (const Step* step : flatten(input.scenario)) {
    if (!is_life_cycle(*step) || is_tagged(*step)) continue;
    for (const Event* end : input.record.step(step->path).ends) {
      if (text_of(end->fields, "outcome") != "failed") continue;
      const bool told = std::any_of(known.begin(), known.end(), [&](const Breach& breach) {
        return breach.step == step->path && breach.answer == Answer::fail;
      });
      if (told) continue;
      Breach breach;
      breach.step = step->path;
      breach.expected = fmt::format("`{}` succeeds", one_line(step->source, 120));
      breach.text =
          fmt::format("{} failed: {}", describe(*step), one_line(text_of(end->fields, "message")));
      out.push_back(std::move(breach));
    }
  }
  return out;
}

// The criterion that already failed by the very step that shows this breach; empty if none.
std::string judged_by(const JudgeInput& input, const Breach& breach,
                      const std::vector<Finding>& criteria) {
  if (breach.crash) return {};
  for (const auto& finding : criteria) {
    for (const auto& check : finding.checks) {
      if (check.answer != Answer::fail) continue;
      if (check.step == breach.step) return finding.criterion;
      if (breach.instance == nullptr || breach.instance->start == nullptr) continue;
      const auto& ends = input.record.step(check.step).ends;
      const Event* last = breach.instance->exit;
      for (const Step* step : flatten(input.scenario)) {
        if (step->path != check.step || !is_life_cycle(*step) || ends.empty()) continue;
        const std::int64_t at = ends.back()->n;
        if (at > breach.instance->start->n && (last == nullptr || at <= last->n + 1)) {
          return finding.criterion;
        }
      }
    }
  }
  return {};
}

Check check_of(const JudgeInput& input, const Breach& breach,
               const std::vector<Finding>& criteria) {
  Check check;
  for (const Step* step : flatten(input.scenario)) {
    if (step->path == breach.step) check = blank_check(*step);
  }
  check.step = breach.step;
  check.answer = breach.answer;
  check.evidence = breach.text;
  check.expected = breach.expected;
  check.actual = breach.text;
  if (breach.instance != nullptr && breach.instance->start != nullptr) {
    for (const auto& word : texts_of(breach.instance->start->fields, "command")) {
      check.command += (check.command.empty() ? "" : " ") + word;
    }
  }
  if (!breach.crash) excuse_late(input.record, check);
  if (const std::string id = judged_by(input, breach, criteria);
      breach.answer == Answer::fail && !id.empty()) {
    check.answer = Answer::inconclusive;
    check.evidence = fmt::format("judged by criterion {}: {}", id, breach.text);
  }
  return check;
}

// What outlived the daemon's SIGKILL: no leak of its own, but somebody may wonder who answered.
std::string outlived(const RunRecord& record) {
  std::vector<std::string> names;
  const auto list = record.leftovers->fields.find("ended");
  if (list == record.leftovers->fields.end() || !list->is_array()) return "";
  for (const auto& item : *list) {
    if (!item.is_object() || text_of(item, "whose") != "daemon") continue;
    names.push_back(fmt::format("{} {}", text_of(item, "kind"), text_of(item, "what")));
  }
  if (names.empty()) return "";
  return fmt::format("what outlived its SIGKILL was ended: {}",
                     one_line(fmt::format("{}", fmt::join(names, "; ")), 300));
}

Check leftovers_check(const RunRecord& record) {
  Check check;
  check.expected = "no process, container, mount, socket or file of the daemon is left";
  const Json* list = nullptr;
  if (record.leftovers != nullptr) {
    const auto counted = record.leftovers->fields.find("found");
    if (counted != record.leftovers->fields.end() && counted->is_array()) list = &*counted;
  }
  if (list == nullptr) {
    check.evidence = "what was left behind was not counted";
    return check;
  }
  check.answer = Answer::pass;
  check.evidence = outlived(record);
  if (check.evidence.empty()) check.evidence = "nothing left behind";
  std::vector<std::string> found;
  for (const auto& item : *list) {
    if (!item.is_object()) continue;
    const std::string whose = text_of(item, "whose");
    if (whose == "daemon") {
      found.push_back(fmt::format("{}: {}", text_of(item, "kind"), text_of(item, "what")));
    } else if (whose == "unknown") {
      check.answer = Answer::inconclusive;
      check.evidence = text_of(item, "what");
    }
  }
  if (!found.empty()) {
    check.answer = Answer::fail;
    check.evidence = fmt::format("left behind by the daemon: {}",
                                 one_line(fmt::format("{}", fmt::join(found, "; ")), 300));
  }
  check.actual = check.evidence;
  return check;
}

Check summary_check(const RunRecord& record) {
  Check check;
  check.answer = Answer::pass;
  check.expected = "every daemon is ready in time and dies only when and how it is made to";
  std::vector<std::string> deaths;
  std::int64_t slowest = 0;
  std::size_t ready = 0, refused = 0;
  for (const auto& [number, instance] : record.instances) {
    if (instance.ready != nullptr) {
      ++ready;
      slowest = std::max(slowest, integer_of(instance.ready->fields, "after_us"));
    }
    refused += instance.not_started != nullptr ? 1 : 0;
    if (instance.exit != nullptr) deaths.push_back(death_of(instance.exit->fields));
  }
  if (record.instances.empty()) {
    check.answer = Answer::inconclusive;
    check.evidence = "no step started a daemon: nothing was proven about one";
  } else {
    check.evidence = fmt::format("{} ready within {:.1f} ms; ended by {}",
                                 ready == 1 ? "1 start" : fmt::format("{} starts", ready),
                                 static_cast<double>(slowest) / 1000.0, fmt::join(deaths, ", "));
    if (refused > 0) check.evidence += fmt::format("; {} refused as expected", refused);
  }
  check.actual = check.evidence;
  return check;
}

bool asks_for_a_daemon(const Scenario& scenario) {
  const auto steps = flatten(scenario);
  return std::any_of(steps.begin(), steps.end(),
                     [](const Step* step) { return step->kind == "start"; });
}

}  // namespace

const Event* strangers_kill(const RunRecord& record) {
  for (const auto& [number, instance] : record.instances) {
    const Event* exit = instance.exit;
    if (exit == nullptr || boolean_of(exit->fields, "expected")) continue;
    if (signal_name(exit->fields) == "SIGKILL" && !kill_was_sent(record, *exit)) return exit;
  }
  return nullptr;
}

Finding judge_run(const JudgeInput& input, const std::vector<Finding>& criteria) {
  Finding finding;
  finding.criterion = "run";
  finding.text =
      "The daemon started when asked, died only when and how it was made to, and left nothing "
      "behind";
  finding.where = {input.scenario.file, 1, 1};
  std::vector<Breach> breaches;
  for (const auto& [number, instance] : input.record.instances) {
    for (auto& breach : instance_breaches(input.record, instance)) {
      breaches.push_back(std::move(breach));
    }
  }
  for (auto& breach : hung_breaches(input, breaches)) breaches.push_back(std::move(breach));
  for (const auto& breach : breaches) finding.checks.push_back(check_of(input, breach, criteria));
  if (breaches.empty()) {
    Check check = summary_check(input.record);
    if (input.record.instances.empty() && asks_for_a_daemon(input.scenario)) {
      check.answer = Answer::inconclusive;
      check.evidence = "the daemon was never started: " + input.unreached;
    }
    finding.checks.push_back(std::move(check));
  }
  Check left = leftovers_check(input.record);
  if (left.answer == Answer::pass) {
    finding.checks.insert(finding.checks.begin(), std::move(left));
  } else {
    finding.checks.push_back(std::move(left));
  }
  return finding;
}

std::vector<std::string> harness_leftovers(const RunRecord& record) {
  std::vector<std::string> out;
  if (record.leftovers != nullptr) {
    const auto list = record.leftovers->fields.find("found");
    if (list != record.leftovers->fields.end() && list->is_array()) {
      for (const auto& item : *list) {
        const std::string whose = item.is_object() ? text_of(item, "whose") : "daemon";
        if (whose == "daemon" || whose == "unknown") continue;
        out.push_back(fmt::format("{}: {}{}", text_of(item, "kind"), text_of(item, "what"),
                                  boolean_of(item, "removed") ? " (removed)" : ""));
      }
    }
  }
  for (const auto& [id, fault] : record.faults) {
    if (fault.debt == nullptr || record.cut) continue;
    if (fault.healed == nullptr && fault.missed == nullptr) {
      out.push_back(fmt::format("fault {} ({}) was never healed", fault.fault, id));
    } else if (fault.healed != nullptr && !boolean_of(fault.healed->fields, "ok", true)) {
      out.push_back(fmt::format("fault {} ({}) could not be healed: {}", fault.fault, id,
                                compact(fault.healed->fields.value("detail", Json()), 120)));
    }
  }
  return out;
}

}  // namespace harness

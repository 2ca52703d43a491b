#include "harness/report/run_diff.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "harness/report/plain_names.h"

namespace harness {
namespace {

// One run, indexed, and what its volatile values are called.
struct Side {
  explicit Side(const DiffSide& side)
      : given(side), record(index_of(side.history)), names(side.history) {}
  const DiffSide& given;
  RunRecord record;
  PlainNames names;
};

using Rows = std::vector<DiffRow>;
using Named = std::vector<std::pair<std::string, std::string>>;  // in order

void add_row(Rows& rows, const std::string& what, const std::string& one, const std::string& other) {
  if (one != other) rows.push_back({what, one, other});
}

// Pairs of one name side by side; those of the first in its order, then what only the second has.
void add_named(Rows& rows, const Named& one, const Named& other) {
  std::map<std::string, std::string> second(other.begin(), other.end());
  std::map<std::string, std::string> first(one.begin(), one.end());
  for (const auto& [name, value] : one) {
    const auto found = second.find(name);
    add_row(rows, name, value, found == second.end() ? "" : found->second);
  }
  for (const auto& [name, value] : other) {
    if (!first.contains(name)) add_row(rows, name, "", value);
  }
}

Named setup_of(const Side& side) {
  const Verdict& verdict = side.given.verdict;
  Named out = {{"target", verdict.target}, {"provider", verdict.provider}, {"seed", verdict.seed}};
  if (side.record.begin == nullptr) return out;
  const Json& fields = side.record.begin->fields;
  out.emplace_back("harness version", text_of(fields, "harness_version"));
  out.emplace_back("command", compact(fields.value("command", Json()), 300));
  const Json variables = fields.value("variables", Json::object());
  for (const auto& [name, value] : variables.items()) {
    if (name.ends_with("port") || name.ends_with("ports")) continue;
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (const auto at = text.find(verdict.run_id); at != std::string::npos && !verdict.run_id.empty()) {
      continue;  // a path in the sandbox
    }
    out.emplace_back("${" + name + "}", text);
  }
  return out;
}

Named findings_of(const Side& side, bool evidence) {
  Named out;
  for (const auto& finding : side.given.verdict.findings) {
    std::string text = name_of(finding.answer);
    if (evidence && !finding.evidence.empty()) text += "  " + finding.evidence;
    out.emplace_back(finding.criterion + "  " + finding.text, text);
  }
  return out;
}

Named deaths_of(const Side& side) {
  Named out;
  for (const auto& [number, life] : side.record.instances) {
    std::string text;
    if (life.not_started) {
      text = "not started: " + side.names.text(text_of(life.not_started->fields, "reason"));
    } else if (life.exit == nullptr) {
      text = "its end was not recorded";
    } else {
      const Json& fields = life.exit->fields;
      const std::string signal = text_of(fields, "signal");
      text = signal.empty() ? fmt::format("exit status {}", integer_of(fields, "code")) : "SIG" + signal;
      const std::string asked = text_of(fields, "asked");
      text += asked.empty() ? ", not asked for" : ", asked for by step " + asked;
      if (!boolean_of(fields, "expected")) text += ", unexpected";
    }
    out.emplace_back(fmt::format("instance {}", number), text);
  }
  return out;
}

Named faults_of(const Side& side) {
  Named out;
  for (const auto& [id, fault] : side.record.faults) {
    std::string text = fault.struck ? "struck" : fault.missed ? "missed" : "no proof that it struck";
    if (fault.missed) text += ": " + side.names.text(text_of(fault.missed->fields, "reason"));
    text += !fault.healed ? ", not healed"
            : boolean_of(fault.healed->fields, "ok", true) ? ", healed" : ", healing failed";
    out.emplace_back(fmt::format("{} ({})", fault.fault, id), text);
  }
  return out;
}

Named facts_of(const Side& side) {
  Named out;
  for (const auto& fact : side.given.verdict.facts) out.emplace_back(fact.name, side.names.text(fact.text));
  return out;
}

Named domains_of(const Side& side) {
  Named out;
  for (const auto& row : side.given.verdict.domains) {
    out.emplace_back(row.domain, fmt::format("{}: {} of {} found again", row.outcome, row.after, row.before));
  }
  return out;
}

// What a step did and saw, each time.
Json seen_by(const Side& side, const std::string& path) {
  const StepRecord& record = side.record.step(path);
  Json seen = Json::object();
  seen["times begun"] = record.begins.size();
  seen["ended"] = Json::array();
  for (const Event* end : record.ends) {
    Json one = {{"outcome", text_of(end->fields, "outcome")}};
    const std::string message = text_of(end->fields, "message");
    if (!message.empty()) one["message"] = side.names.text(message);
    seen["ended"].push_back(std::move(one));
  }
  seen["observed"] = Json::array();
  for (const Event* observation : record.observations) {
    const Json bindings = observation->fields.value("bindings", Json::object());
    Json one = {{"document", side.names.document(observation->fields.value("document", Json()))}};
    for (const char* own : {"status", "exit", "error"}) {
      if (bindings.contains(own)) one[own] = side.names.document(bindings[own]);
    }
    seen["observed"].push_back(std::move(one));
  }
  return seen;
}

void add_steps(Rows& rows, const Side& one, const Side& other) {
  for (const Step* step : flatten(one.given.scenario)) {
    const auto differs = difference_between(seen_by(one, step->path), seen_by(other, step->path));
    if (!differs) continue;
    rows.push_back({fmt::format("{}, {}", describe(*step), differs->at.substr(1)),
                    compact(differs->one, 300), compact(differs->other, 300)});
  }
}

double milliseconds_of(const Side& side, const std::string& path) {
  double sum = 0;
  for (const Event* end : side.record.step(path).ends) {
    sum += static_cast<double>(integer_of(end->fields, "end_us") - integer_of(end->fields, "begin_us")) / 1000;
  }
  return sum;
}

void add_timings(std::vector<DiffTiming>& timings, const Side& one, const Side& other) {
  timings.push_back({"the whole run", one.given.verdict.duration_s * 1000, other.given.verdict.duration_s * 1000});
  for (const auto& [number, life] : one.record.instances) {
    const auto found = other.record.instances.find(number);
    if (found == other.record.instances.end()) continue;
    const auto add = [&](const char* what, const Event* first, const Event* second) {
      if (!first || !second) return;
      timings.push_back({fmt::format("instance {} {}", number, what),
                         static_cast<double>(integer_of(first->fields, "after_us")) / 1000,
                         static_cast<double>(integer_of(second->fields, "after_us")) / 1000});
    };
    add("ready", life.ready, found->second.ready);
    add("gone after it was asked", life.exit, found->second.exit);
  }
  for (const Step* step : flatten(one.given.scenario)) {
    if (step->path.find('.') != std::string::npos) continue;
    if (one.record.step(step->path).ends.empty() || other.record.step(step->path).ends.empty()) continue;
    timings.push_back({fmt::format("step {}  {}", step->path, one_line(step->source, 60)),
                       milliseconds_of(one, step->path), milliseconds_of(other, step->path)});
  }
}

// Empty where both are runs of one scenario, word for word.
std::string scenario_difference(const Scenario& one, const Scenario& other, bool& another) {
  another = one.name != other.name;
  if (another) return fmt::format("different scenarios: {} and {}", one.name, other.name);
  if (one.text == other.text) return "";
  const auto [first, second] = std::mismatch(one.text.begin(), one.text.end(), other.text.begin(), other.text.end());
  const auto line = std::count(one.text.begin(), first, '\n') + 1;
  return fmt::format("the scenario {} was changed between the runs, first on line {}", one.name, line);
}

}  // namespace

RunDiff diff_runs(const DiffSide& given_one, const DiffSide& given_other) {
  const Side one(given_one);
  const Side other(given_other);
  RunDiff diff;
  diff.one = given_one.name;
  diff.other = given_other.name;
  bool another = false;
  diff.scenarios = scenario_difference(given_one.scenario, given_other.scenario, another);
  add_named(diff.setup, setup_of(one), setup_of(other));
  add_row(diff.verdict, "verdict", name_of(given_one.verdict.answer), name_of(given_other.verdict.answer));
  Rows answers;
  add_named(answers, findings_of(one, false), findings_of(other, false));
  Rows told;
  add_named(told, findings_of(one, true), findings_of(other, true));
  for (const auto& row : told) {
    const bool differs = std::any_of(answers.begin(), answers.end(),
                                     [&](const DiffRow& answer) { return answer.what == row.what; });
    if (differs) diff.findings.push_back(row);
  }
  diff.same = !another && diff.verdict.empty() && diff.findings.empty();
  add_named(diff.deaths, deaths_of(one), deaths_of(other));
  add_named(diff.faults, faults_of(one), faults_of(other));
  add_named(diff.facts, facts_of(one), facts_of(other));
  add_named(diff.domains, domains_of(one), domains_of(other));
  if (another) return diff;  // the steps of one are not those of the other
  add_steps(diff.steps, one, other);
  add_timings(diff.timings, one, other);
  return diff;
}

}  // namespace harness

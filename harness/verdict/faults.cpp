// A fault must prove that it struck (rule 4): one that missed makes the run inconclusive.
#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

std::string reason_of(const FaultRecord& fault) {
  return fault.missed != nullptr ? one_line(text_of(fault.missed->fields, "reason")) : "";
}

}  // namespace

std::vector<std::string> fault_lines(const RunRecord& record) {
  std::vector<std::string> out;
  for (const auto& [id, fault] : record.faults) {
    std::string line = fmt::format("{} ({}): ", fault.fault.empty() ? "fault" : fault.fault, id);
    if (fault.struck != nullptr) {
      line += "struck";
      const auto evidence = fault.struck->fields.find("evidence");
      if (evidence != fault.struck->fields.end()) line += " " + compact(*evidence, 100);
    } else {
      line += fault.missed != nullptr ? "missed: " + reason_of(fault) : "no proof that it struck";
    }
    if (fault.healed != nullptr) {
      line += boolean_of(fault.healed->fields, "ok", true) ? "; healed" : "; NOT healed";
    } else if (fault.struck != nullptr) {
      line += "; healing was not recorded";
    }
    out.push_back(std::move(line));
  }
  return out;
}

std::string missed_faults(const JudgeInput& input) {
  for (const auto& [id, fault] : input.record.faults) {
    if (fault.missed != nullptr) {
      return fmt::format("the fault {} did not strike: {}", fault.fault, reason_of(fault));
    }
    if (fault.struck == nullptr && fault.debt != nullptr) {
      return fmt::format("nothing proves that the fault {} struck", fault.fault);
    }
  }
  // A fault step that was done leaves its debt and its strike in the history.
  for (const Step* step : flatten(input.scenario)) {
    if (step->kind != "fault" || input.record.step(step->path).ends.empty()) continue;
    if (text_of(input.record.step(step->path).ends.back()->fields, "outcome") != "ok") continue;
    bool found = false;
    for (const auto& [id, fault] : input.record.faults) {
      found = found || (fault.debt != nullptr && text_of(fault.debt->fields, "step") == step->path);
    }
    if (!found) return fmt::format("nothing proves that the fault of {} struck", describe(*step));
  }
  return {};
}

}  // namespace harness

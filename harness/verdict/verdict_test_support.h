// For the tests beside it: the fixture scenarios and histories, judged.
#pragma once
#include <fstream>
#include <sstream>
#include <string>

#include "harness/verdict/verdict.h"

namespace harness::testing_support {

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string histories() { return std::string(AIMA_SOURCE_DIR) + "/fixtures/histories/"; }

// The words that the fixture scenarios use; what a run knows more is not judging's business.
inline StepCatalog catalog() {
  StepCatalog catalog;
  for (const char* name :
       {"start", "stop", "restart", "signal", "await", "http", "cli", "snapshot", "compare"}) {
    const std::string plain = name == std::string("http") ? "request" : "value";
    StepShape shape{name, "probe", "", plain, {}, true, false, ""};
    for (const char* key : {plain.c_str(), "before", "after", "signal", "ready"}) {
      shape.keys.push_back({key, ValueKind::text, false, "", {}});
    }
    shape.keys.push_back({"exit", ValueKind::any, false, "", {}});
    catalog.add_step(std::move(shape));
  }
  catalog.add_step({"containers", "probe", "", "label",
                    {{"label", ValueKind::text_list, false, "", {}},
                     {"state", ValueKind::text, false, "", {}}}, true, false, ""});
  catalog.add_step({"log", "probe", "", "must",
                    {{"must", ValueKind::text, false, "", {}},
                     {"must_not", ValueKind::text, false, "", {}}}, true, false, ""});
  StepShape repeat{"repeat", "control", "", "", {}, true, false, ""};
  repeat.keys = {{"times", ValueKind::integer, true, "", {}},
                 {"steps", ValueKind::step_list, true, "", {}}};
  catalog.add_step(std::move(repeat));
  catalog.add_step({"fault", "fault", "", "", {}, false, false, ""});
  catalog.add_fault({"pause", "fault", "", "", {}, false, false, ""});
  return catalog;
}

inline Scenario scenario_from(const std::string& text, const std::string& file) {
  auto scenario = parse_scenario(text, file, catalog(), {"port"});
  if (scenario) return *scenario;
  std::string problems = file;
  for (const auto& diagnostic : scenario.error()) problems += "\n" + render(diagnostic, text);
  throw std::runtime_error(problems);
}

inline Scenario fixture_scenario(const std::string& name) {
  return scenario_from(slurp(histories() + name + ".yaml"), "fixtures/histories/" + name + ".yaml");
}

inline const Finding& finding_of(const Verdict& verdict, const std::string& criterion) {
  for (const auto& finding : verdict.findings) {
    if (finding.criterion == criterion) return finding;
  }
  throw std::runtime_error("no finding " + criterion);
}

}  // namespace harness::testing_support

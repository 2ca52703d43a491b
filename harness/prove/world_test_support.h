// A scenario, its control run with the survey, and strikes on it: on real daemons.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/prove/sabotage.h"
#include "harness/prove/surveyor.h"
#include "harness/run/catalog.h"
#include "harness/run/runner.h"

namespace harness {

struct Struck {
  std::string what;    // struck()
  std::string missed;  // missed()
  Verdict verdict;
};

class Proving {
 public:
  explicit Proving(const std::string& text, const std::string& provider = "native",
                   const std::string& file = "proving.yaml")
      : folder_(std::filesystem::temp_directory_path() /
                ("aima-proving-" + std::to_string(::getpid()))) {
    auto parsed =
        parse_scenario(text, file, full_catalog(), {"port", "data", "run_id", "bin", "sandbox"});
    if (!parsed) {
      ADD_FAILURE() << parsed.error().front().message;
      return;
    }
    scenario_ = std::move(*parsed);
    auto target = load_target(scenario_.target, AIMA_SOURCE_DIR, {});
    if (!target) {
      ADD_FAILURE() << target.error().front().message;
      return;
    }
    target_ = std::move(*target);
    auto found = find_provider(provider, Limit::after(Milliseconds(5000)));
    if (!found) {
      ADD_FAILURE() << to_string(found.error());
      return;
    }
    provider_ = std::move(*found);
    auto surveyor = control_surveyor();
    auto [verdict, history] = run(surveyor.get());
    control = std::move(verdict);
    history_ = std::move(history);
  }
  ~Proving() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Proving(const Proving&) = delete;
  Proving& operator=(const Proving&) = delete;

  ProofSubject subject() const { return {scenario_, target_, history_, control.provider}; }
  static const WorldSabotage& find(std::string_view name) {
    for (const auto& one : world_sabotages()) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no sabotage " + std::string(name));
  }
  std::vector<Place> places(std::string_view name) const { return find(name).places(subject()); }
  Struck strike(std::string_view name, const Place& place, std::stop_token stop = {},
                std::function<void(const Step&)> on_step = {}) {
    const auto striking = find(name).strike(subject(), place);
    auto [verdict, history] = run(striking.get(), std::move(stop), std::move(on_step));
    return {striking->struck(), striking->missed(), std::move(verdict)};
  }

  Verdict control;

 private:
  std::pair<Verdict, History> run(Saboteur* saboteur, std::stop_token stop = {},
                                  std::function<void(const Step&)> on_step = {}) {
    const Plan plan = make_plan(scenario_, target_.name, {}, 1);
    RunOptions options;
    options.root = AIMA_SOURCE_DIR;
    options.runs = folder_;
    options.plan = &plan;
    options.saboteur = saboteur;
    options.stop = std::move(stop);
    options.signal = [] { return 2; };
    options.on_step = std::move(on_step);
    auto outcome = run_scenario(scenario_, target_, provider_, expressions_, options);
    if (!outcome) {
      ADD_FAILURE() << to_string(outcome.error());
      return {};
    }
    auto history = read_history((outcome->folder / "history.jsonl").string());
    return {std::move(outcome->verdict), history ? std::move(*history) : History{}};
  }

  std::filesystem::path folder_;
  Scenario scenario_;
  TargetProfile target_;
  Provider provider_;
  Expressions expressions_;
  History history_;
};

inline std::string whole_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Answer answer_of(const Verdict& verdict, const std::string& criterion) {
  for (const auto& finding : verdict.findings) {
    if (finding.criterion == criterion) return finding.answer;
  }
  return Answer::error;
}
}  // namespace harness

// Scenarios as a Boost.Test suite: one test suite per scenario, one test case per criterion,
// registered from the YAML, with Boost.Test's usual --list_content, --run_test and
// --log_format=JUNIT.
//   scenario-suite [Boost.Test options] -- [--provider P] [--harness FILE] [SCENARIO.yaml…]
// A scenario runs once, as aima-harness in a process of its own, when its first case is asked for.
#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "harness/cli/selection.h"
#include "harness/clients/command.h"
#include "harness/verdict/verdict.h"

namespace {
namespace fs = std::filesystem;
using namespace harness;

constexpr std::chrono::seconds longest_scenario{180};

struct Options {
  std::string provider = "native";
  fs::path harness = fs::read_symlink("/proc/self/exe").parent_path() / "aima-harness";
  fs::path root = AIMA_SOURCE_DIR;
  std::vector<std::string> scenarios;  // empty: scenarios/
};

std::string slurp(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Boost.Test changes blanks and slashes in names by itself, differently in each log format.
std::string case_name(const std::string& id, const std::string& text) {
  std::string name = id + "_" + text;
  for (char& c : name) {
    bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    if (!kept) c = '_';
  }
  return name;
}

class ScenarioRun {
 public:
  ScenarioRun(Options options, Scenario scenario)
      : options_(std::move(options)), scenario_(std::move(scenario)) {}
  ~ScenarioRun() {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  ScenarioRun(const ScenarioRun&) = delete;
  ScenarioRun& operator=(const ScenarioRun&) = delete;

  // Boost.Test keeps where a case was written as a view: into this string, which lives as long.
  const std::string& file() const { return scenario_.file; }

  void judge(const std::string& criterion) {
    if (!done_) run();
    BOOST_TEST_CONTEXT("scenario " << scenario_.file << "\n" << output_) {
      BOOST_REQUIRE_MESSAGE(verdict_.has_value(), "the harness left no verdict");
      auto found =
          std::find_if(verdict_->findings.begin(), verdict_->findings.end(),
                       [&](const Finding& finding) { return finding.criterion == criterion; });
      BOOST_REQUIRE_MESSAGE(found != verdict_->findings.end(), "the verdict has no such criterion");
      BOOST_CHECK_MESSAGE(found->answer == Answer::pass, name_of(found->answer)
                                                             << ": " << found->evidence);
    }
  }

 private:
  void run() {
    done_ = true;
    std::string pattern = (fs::temp_directory_path() / "scenario-suite-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    fs::path report = folder_ / "report.json";
    Command command;
    command.argv = {options_.harness.string(),
                    "run",
                    scenario_.file,
                    "--provider",
                    options_.provider,
                    "--out",
                    (folder_ / "runs").string(),
                    "--report",
                    "json=" + report.string()};
    for (const char* name : {"PATH", "HOME", "DOCKER_HOST", "TMPDIR"}) {
      if (const char* value = std::getenv(name)) command.environment[name] = value;
    }
    command.folder = options_.root.string();
    auto result = run_command(command, Limit::after(longest_scenario));
    // The message is made in any case.
    BOOST_REQUIRE_MESSAGE(result.has_value(), (result ? "" : to_string(result.error())));
    output_ = result->out + result->err;
    Json json = Json::parse(slurp(report), nullptr, false);
    if (json.is_discarded() || !json.contains("verdicts") || json["verdicts"].empty()) return;
    if (auto verdict = verdict_from_json(json["verdicts"][0])) verdict_ = std::move(*verdict);
  }

  Options options_;
  Scenario scenario_;
  bool done_ = false;
  fs::path folder_;
  std::string output_;
  std::optional<Verdict> verdict_;
};

Options options_from(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "--provider" && i + 1 < argc) {
      options.provider = argv[++i];
    } else if (word == "--harness" && i + 1 < argc) {
      options.harness = argv[++i];
    } else {
      options.scenarios.emplace_back(word);
    }
  }
  return options;
}

bool register_scenarios() {
  namespace test = boost::unit_test;
  auto& master = test::framework::master_test_suite();
  Options options = options_from(master.argc, master.argv);
  CommandContext context{std::cout, std::cerr, options.root, options.root / "reports/runs"};
  Selection selection;
  selection.paths = options.scenarios;
  SelectedSet selected = select_scenarios(context, selection);
  for (const auto& problem : selected.unreadable) std::cerr << problem;
  if (!selected.unreadable.empty() || selected.scenarios.empty()) return false;
  for (const auto& [scenario, target] : selected.scenarios) {
    auto* suite = BOOST_TEST_SUITE(scenario.name);
    auto run = std::make_shared<ScenarioRun>(options, scenario);
    auto add = [&](const std::string& id, const std::string& text, const Span& where) {
      suite->add(test::make_test_case([run, id] { run->judge(id); }, case_name(id, text),
                                      run->file(), static_cast<std::size_t>(where.line)));
    };
    for (const auto& criterion : scenario.criteria)
      add(criterion.id, criterion.text, criterion.span);
    add("run", "the daemon lived and died as it was made to", {scenario.file, 1, 1});
    master.add(suite);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  return boost::unit_test::unit_test_main(&register_scenarios, argc, argv);
}

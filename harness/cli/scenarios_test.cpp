// check, plan, list, schema and new against the shipped scenarios and the whole catalogue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "harness/cli/selection.h"
#include "harness/cli/schema_check.h"
#include "harness/run/catalog.h"
#include "harness/scenario/schema.h"
#include "harness/target/profile.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class Commands : public ::testing::Test {
 protected:
  Commands() : folder_(fs::temp_directory_path() / ("aima-cli-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~Commands() override { fs::remove_all(folder_); }
  CommandContext context() {
    return CommandContext{out, err, fs::path(AIMA_SOURCE_DIR), folder_ / "runs", false, false, 100, "", {}};
  }
  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::vector<fs::path> shipped() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(AIMA_SOURCE_DIR "/scenarios")) {
      const bool canary_of_bad_files = entry.path().filename() == "unreadable-scenario.yaml";
      if (entry.path().extension() == ".yaml" && !canary_of_bad_files) files.push_back(entry.path());
    }
    return files;
  }
  fs::path folder_;
  std::ostringstream out, err;
};

TEST_F(Commands, ShippedScenariosPassCheck) {
  EXPECT_EQ(command_check(context(), {}), exit_pass) << err.str();
  EXPECT_THAT(out.str(), ::testing::HasSubstr("restart-survival.yaml: ok (8 criteria"));
  EXPECT_THAT(out.str(), ::testing::HasSubstr("graceful-shutdown.yaml: ok (6 criteria"));
}

TEST_F(Commands, ShippedScenariosFitTheSchema) {
  const Json schema = scenario_schema(full_catalog());
  ASSERT_GE(shipped().size(), 2u);
  for (const auto& file : shipped()) {
    const auto root = parse_yaml(contents(file), file.string());
    ASSERT_TRUE(root);
    EXPECT_EQ(schema_problem(schema, to_json(*root)), "") << file;
  }
}

TEST_F(Commands, TheSchemaRefusesMistakes) {
  const Json schema = scenario_schema(full_catalog());
  const std::string good = "scenario: x\ntarget: aima\nsteps:\n  - start: {}\n";
  const auto problem = [&](const std::string& text) {
    return schema_problem(schema, to_json(parse_yaml(text, "x").value()));
  };
  EXPECT_EQ(problem(good), "");
  for (const std::string extra :
       {"bogus: 1\n", "timeout: soon\n", "criteria: {1: {expect: gap}}\n", "criteria: {run: mine}\n"}) {
    EXPECT_NE(problem(good + extra), "") << extra;
  }
  for (const std::string step :
       {"  - htpp: GET /\n", "  - stop\n", "  - http: GET /\n    expct: .ok\n", "  - http: {requst: GET /}\n",
        "  - await: {port: clozed}\n", "  - http: GET /\n    timeout: 3 sec\n"}) {
    EXPECT_NE(problem(good + step), "") << step;
  }
}

TEST_F(Commands, TheStoredSchemaIsTheOneOfTheCatalogue) {
  const std::string stored = contents(AIMA_SOURCE_DIR "/reports/schema/scenario.schema.json");
  EXPECT_EQ(command_schema(context()), exit_pass);
  EXPECT_EQ(stored, out.str()) << "write it anew: aima-harness schema > reports/schema/scenario.schema.json";
}

TEST_F(Commands, MistakesEndWithFour) {
  const auto file = write("bad.yaml", "scenario: bad\ntarget: aima\nsteps:\n  - htpp: GET /health\n");
  EXPECT_EQ(command_check(context(), {{file.string()}, "", "", {}}), exit_usage);
  EXPECT_THAT(err.str(), ::testing::HasSubstr("bad.yaml:4:5: unknown step `htpp`\n  4 |   - htpp: GET /health\n"
                                              "    |     ^\n  hint: did you mean `http`?\n"));
  EXPECT_EQ(command_plan(context(), {{file.string()}, "", "", {}}, 1), exit_usage);
  EXPECT_EQ(command_check(context(), {{"no-such-file"}, "", "", {}}), exit_usage);
  EXPECT_EQ(command_check(context(), {{}, "(", "", {}}), exit_usage);
  EXPECT_EQ(command_check(context(), {{}, "no scenario is called so", "", {}}), exit_nothing_selected);
}

TEST_F(Commands, AnUnknownTargetOrDomainIsFound) {
  const auto target = write("t.yaml", "scenario: t\ntarget: nobody\nsteps:\n  - start: {}\n");
  EXPECT_EQ(command_check(context(), {{target.string()}, "", "", {}}), exit_usage);
  EXPECT_THAT(err.str(), ::testing::HasSubstr("nobody"));
}

TEST_F(Commands, NewWritesWhatPassesCheck) {
  const fs::path file = folder_ / "sub" / "my-first.yaml";
  ASSERT_EQ(command_new(context(), file.string()), exit_pass) << err.str();
  EXPECT_EQ(command_check(context(), {{file.string()}, "", "", {}}), exit_pass) << err.str();
  EXPECT_EQ(schema_problem(scenario_schema(full_catalog()),
                           to_json(parse_yaml(contents(file), "new").value())), "");
  EXPECT_EQ(command_new(context(), file.string()), exit_usage);  // does not overwrite
  EXPECT_EQ(command_new(context(), "../x y"), exit_usage);
}

TEST_F(Commands, PlanRepeatsItself) {
  const Selection one{{AIMA_SOURCE_DIR "/scenarios/restart-survival.yaml"}, "", "", {}};
  ASSERT_EQ(command_plan(context(), one, 42), exit_pass) << err.str();
  const std::string first = out.str();
  out.str("");
  ASSERT_EQ(command_plan(context(), one, 42), exit_pass);
  EXPECT_EQ(out.str(), first);
  EXPECT_EQ(Json::parse(first)["seed"], "42");
}

TEST_F(Commands, ListNamesEverything) {
  ASSERT_EQ(command_list(context(), "", true), exit_pass);
  const Json all = Json::parse(out.str());
  for (const char* kind : {"scenarios", "steps", "faults", "probes", "sabotages", "reporters", "targets"}) {
    EXPECT_FALSE(all[kind].empty()) << kind;
  }
  EXPECT_EQ(all["steps"].size(), full_catalog().steps().size());
  out.str("");
  ASSERT_EQ(command_list(context(), "targets", false), exit_pass);
  EXPECT_THAT(out.str(), ::testing::HasSubstr("aima"));
  EXPECT_EQ(command_list(context(), "stpes", false), exit_usage);
  EXPECT_THAT(err.str(), ::testing::HasSubstr("did you mean `steps`?"));
}

// The reference of the format names every kind and key, and its examples are right.
TEST_F(Commands, TheReferenceIsComplete) {
  const std::string reference = contents(AIMA_SOURCE_DIR "/scenarios/README.md");
  const auto check_rows = [&](const std::vector<StepShape>& shapes, const std::string& suffix) {
    for (const auto& shape : shapes) {
      const std::string heading = "\n### `" + shape.name + "`" + suffix + "\n";
      EXPECT_THAT(reference, ::testing::HasSubstr(heading));
      const auto begin = reference.find(heading);
      if (begin == std::string::npos) continue;
      const std::string part = reference.substr(begin, reference.find("\n##", begin + 4) - begin);
      for (const auto& key : shape.keys) EXPECT_THAT(part, ::testing::HasSubstr("`" + key.name + "`")) << shape.name;
    }
  };
  check_rows(full_catalog().steps(), "");
  check_rows(full_catalog().faults(), " (fault)");
  int blocks = 0;
  const std::string head = "scenario: example\ntarget: aima\ncriteria: {1: one, 4: four, 6: six}\nsteps:\n"
                           "- snapshot: before\n- snapshot: after\n- pause: {}\n"
                           "- background: chats\n  http: GET /health\n";
  std::vector<std::string> known{"model_id", "service_id", "port", "data", "run_id", "sandbox", "root", "home"};
  const std::string open = "```yaml\n", close = "\n```\n";
  for (auto begin = reference.find(open); begin != std::string::npos; begin = reference.find(open, begin)) {
    begin += open.size();
    const std::string text = reference.substr(begin, reference.find(close, begin) + 1 - begin);
    ++blocks;
    if (text.starts_with("target: ")) {  // the example of a target file
      const auto target = parse_target(text, "README.md", {});
      EXPECT_TRUE(target) << render(target.error().front(), text);
      continue;
    }
    const std::string whole = text.starts_with("- ") ? head + text : text;
    const auto parsed = parse_scenario(whole, "README.md", full_catalog(), known);
    std::string problems;
    if (!parsed) {
      for (const auto& problem : parsed.error()) {
        // An example of one step does not judge all of the frame's criteria.
        if (!problem.message.starts_with("no step judges")) problems += render(problem, whole);
      }
    }
    EXPECT_EQ(problems, "");
  }
  EXPECT_GE(blocks, 20);
}

TEST_F(Commands, ExamplesOfTheCatalogueAreRight) {
  const StepCatalog catalog = full_catalog();
  const auto check_rows = [&](const std::vector<StepShape>& shapes) {
    for (const auto& shape : shapes) {
      const bool bare = !shape.example.starts_with("- ");  // faults: the step without its dash
      std::string example = bare ? "  - " : "";
      for (std::size_t begin = 0; begin <= shape.example.size();) {
        const auto end = std::min(shape.example.find('\n', begin), shape.example.size());
        if (begin > 0 || !bare) example += bare ? "    " : "  ";
        example += shape.example.substr(begin, end - begin) + "\n";
        begin = end + 1;
      }
      // A criterion that the example names is there.
      std::string head = "scenario: x\ntarget: aima\n";
      const std::regex ids("criterion: ?(\\d+|\\{[^}]*\\})");
      std::string criteria, steps = "steps:\n  - snapshot: before\n  - snapshot: after\n"
                                    "  - pause: {}\n"
                                    "  - background: chats\n    http: GET /health\n";
      for (std::smatch match; std::regex_search(example, match, ids);) {
        std::string text = match[1];
        for (std::smatch id; std::regex_search(text, id, std::regex("\\d+")); text = id.suffix()) {
          criteria += "  " + id[0].str() + ": holds\n";
        }
        break;
      }
      if (!criteria.empty()) head += "criteria:\n" + criteria;
      const std::string whole = head + steps + example;
      const auto parsed = parse_scenario(whole, shape.name, catalog,
                                         {"port", "data", "model_id", "service_id", "sandbox", "root"});
      std::string problems;
      if (!parsed) {
        for (const auto& problem : parsed.error()) problems += render(problem, whole);
      }
      EXPECT_TRUE(parsed) << problems;
    }
  };
  check_rows(catalog.steps());
  check_rows(catalog.faults());
}
}  // namespace
}  // namespace harness

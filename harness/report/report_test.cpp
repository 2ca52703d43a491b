// Each format against its golden file; AIMA_UPDATE_GOLDEN=1 writes them anew, to be read before
// they are committed.
#include "harness/report/reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "harness/report/github.h"
#include "harness/report/text.h"

namespace harness {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Finding finding(const std::string& id, const std::string& text, Answer answer,
                const std::string& evidence, int line) {
  Finding out;
  out.criterion = id;
  out.text = text;
  out.answer = answer;
  out.evidence = evidence;
  out.where = {"scenarios/restart-survival.yaml", line, 5};
  Check check;
  check.step = "14";
  check.where = out.where;
  check.source = "compare: {before: before, after: after}";
  check.answer = answer;
  check.evidence = evidence;
  check.expected = "survived";
  check.actual = evidence;
  check.command = "aima model list --output json";
  check.files = {"evidence/snapshot-after.json"};
  out.checks.push_back(check);
  return out;
}

Verdict head(const std::string& scenario, Answer answer) {
  Verdict verdict;
  verdict.run_id = "0123456789ab";
  verdict.scenario = scenario;
  verdict.title = "Process restart data survival";
  verdict.origin = "Scenario 19";
  verdict.file = "scenarios/" + scenario + ".yaml";
  verdict.seed = "5eed";
  verdict.target = "aima";
  verdict.provider = "native";
  verdict.containment = "cgroup v2";
  verdict.provider_detail = "native processes: no engine answers at /var/run/docker.sock";
  verdict.utc = "2026-01-31T12:34:56.789Z";
  verdict.duration_s = 0.84;
  verdict.answer = answer;
  verdict.folder = "reports/runs/20260131T123456Z-" + scenario + "-5eed";
  verdict.events = 57;
  verdict.head = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  return verdict;
}

// A log line as daemons write them: colours, a control byte, bad UTF-8, markup.
const std::string kNasty = "\x1b[31merror\x1b[0m <store> & \"wal\" | \x01 \xff\xfe `x` é 数据库";

std::vector<Verdict> samples() {
  Verdict mixed = head("restart-survival", Answer::fail);
  mixed.reason = "criterion 1: models changed: 0 of 1 created there again and equal";
  mixed.findings.push_back(finding("1", "Models survive restart (SQLite-persisted)", Answer::fail,
                                   "models changed: 0 of 1 created there again and equal; id m-1 "
                                   "changed: name: \"restart-test-model\" became \"other\"; " +
                                       kNasty,
                                   52));
  mixed.findings.push_back(finding("3",
                                   "Docker containers continue running after AIMA process restart",
                                   Answer::pass, "2 containers: running, running", 44));
  mixed.findings.back().note = "native process; Docker not tested";
  mixed.findings.push_back(finding("6", "Catalog recipes are lost on restart (memory-only store)",
                                   Answer::pass, "catalog lost: 0 of 1 created there again", 52));
  mixed.findings.back().gap = true;
  mixed.findings.push_back(finding("4", "`service stop` works correctly after restart",
                                   Answer::inconclusive, "not reached: step 17 ended the scenario",
                                   61));
  mixed.findings.push_back(finding("run", "The daemon started when asked", Answer::pass,
                                   "2 starts ready within 9.1 ms; ended by SIGKILL, exit status 0",
                                   1));
  mixed.facts = {{"built-in skills after restart", "correctly re-loaded", "correctly re-loaded"},
                 {"service status after restart", "accurate (running)", "accurate (running)"},
                 {"shutdown timeout in force", "30 s", 30}};
  mixed.domains = {{"models", 1, 0, "changed"},
                   {"services", 2, 2, "survived"},
                   {"catalog", 1, 0, "lost"},
                   {"alerts", 0, 0, "not tested"}};
  mixed.bugs.push_back({"Models survive restart (SQLite-persisted) does not hold",
                        "Scenario 19 (restart-survival)", "1", "aima model list --output json",
                        "models: survived", "models changed", "from the daemon's log: " + kNasty,
                        "critical"});
  mixed.faults = {"pause (d1): struck {\"state\":\"T\"}; healed"};
  mixed.harness_leftovers = {"folder: /tmp/aima-0123456789ab (removed)"};

  Verdict good = head("graceful-shutdown", Answer::pass);
  good.origin = "Scenario 22";
  good.findings.push_back(finding("1", "SIGTERM stops accepting new connections immediately",
                                  Answer::pass, "refused 0.4 ms after SIGTERM", 20));

  Verdict skipped = head("redis-sigkill", Answer::inconclusive);
  skipped.skipped = true;
  skipped.reason = "skipped: needs redis-server: not found in PATH";
  skipped.findings.push_back(finding("1", "Keys survive", Answer::inconclusive, skipped.reason, 9));
  return {mixed, good, skipped};
}

ReportOptions options() {
  ReportOptions out;
  out.total_seconds = 2.5;
  out.command = "aima-harness run --seed 5eed scenarios/restart-survival.yaml";
  return out;
}

std::string golden_path(const std::string& name) {
  return std::string(AIMA_SOURCE_DIR) + "/fixtures/golden/" + name;
}

void expect_golden(const std::string& name, const std::string& text) {
  if (std::getenv("AIMA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(golden_path(name), std::ios::binary) << text;
    return;
  }
  std::ifstream file(golden_path(name), std::ios::binary);
  std::ostringstream wanted;
  wanted << file.rdbuf();
  EXPECT_EQ(text, wanted.str()) << "run again with AIMA_UPDATE_GOLDEN=1 if this is meant";
}

TEST(Golden, Console) {
  expect_golden("console.txt", find_reporter("console")->render(samples(), options()));
}
TEST(Golden, Json) {
  expect_golden("report.json", find_reporter("json")->render(samples(), options()));
}
TEST(Golden, Junit) {
  expect_golden("junit.xml", find_reporter("junit")->render(samples(), options()));
}
TEST(Golden, Markdown) {
  expect_golden("markdown.md", find_reporter("markdown")->render(samples(), options()));
}

TEST(Console, ColoursOnlyWhenAskedAndNeverLetsTheDaemonColour) {
  ReportOptions plain = options();
  EXPECT_EQ(find_reporter("console")->render(samples(), plain).find('\x1b'), std::string::npos);
  plain.colour = true;
  EXPECT_THAT(find_reporter("console")->render(samples(), plain),
              HasSubstr("\x1b[1;31mFAIL\x1b[0m"));
}

TEST(Console, StaysWithinItsWidth) {
  for (const int width : {80, 100, 160}) {
    ReportOptions narrow = options();
    narrow.width = width;
    std::istringstream lines(find_reporter("console")->render(samples(), narrow));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("repeat with")) continue;  // to be pasted whole
      EXPECT_LE(width_of(line), static_cast<std::size_t>(width)) << line;
      EXPECT_THAT(line, Not(EndsWith(" ")));
    }
  }
}

TEST(Junit, SpeaksTheIntersectionOfTheDialects) {
  auto verdicts = samples();
  verdicts.push_back(verdicts.front());  // --repeat: the same scenario again
  const std::string text = find_reporter("junit")->render(verdicts, options());
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(text.c_str()));
  std::set<std::string> names;
  std::size_t cases = 0, failures = 0, errors = 0;
  for (auto suite : document.child("testsuites").children("testsuite")) {
    for (const char* needed : {"name", "tests", "failures", "errors", "time"}) {
      EXPECT_FALSE(suite.attribute(needed).empty()) << needed;
    }
    for (auto testcase : suite.children("testcase")) {
      ++cases;
      names.insert(std::string(testcase.attribute("classname").value()) + "/" +
                   testcase.attribute("name").value());
      for (auto attribute : testcase.attributes()) {
        EXPECT_TRUE(
            (std::set<std::string>{"name", "classname", "time"}).contains(attribute.name()));
      }
      for (const char* kind : {"failure", "error"}) {
        const auto node = testcase.child(kind);
        if (!node) continue;
        (std::string(kind) == "failure" ? failures : errors) += 1;
        EXPECT_STRNE(node.attribute("message").value(), "");
        EXPECT_STRNE(node.child_value(), "");
      }
    }
  }
  const auto root = document.child("testsuites");
  EXPECT_EQ(names.size(), cases) << "two testcases share a name: GitLab drops one";
  EXPECT_EQ(root.attribute("tests").as_uint(), cases);
  EXPECT_EQ(root.attribute("failures").as_uint(), failures);
  EXPECT_EQ(root.attribute("errors").as_uint(), errors);
  for (const char c : text) {
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t');
  }
}

TEST(Github, GivesAtMostTenAnnotationsFailsFirst) {
  std::vector<Verdict> many;
  for (int i = 0; i < 9; ++i) many.push_back(samples().front());
  const auto lines = annotations(many);
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_THAT(lines.front(),
              StartsWith("::error file=scenarios/restart-survival.yaml,line=52,title="));
  EXPECT_THAT(lines.front(), HasSubstr("title=restart-survival 1%3A FAIL::"));
  EXPECT_THAT(lines.back(), HasSubstr("and 9 more"));
}

TEST(Github, CutsTheSummaryBeforeAHeading) {
  std::vector<Verdict> many(50, samples().front());
  const std::string text = step_summary(many, options(), 10000);
  EXPECT_LE(text.size(), 10000u);
  EXPECT_THAT(text, EndsWith("artifacts._\n"));
  EXPECT_LT(step_summary(samples(), options()).size(), 10000u);
}

TEST(Text, IsRepairedAndMeasured) {
  EXPECT_EQ(clean("a\x1b[1mb\x1b[0m\x07"
                  "c\xc3"),
            "ab c\xEF\xBF\xBD");
  EXPECT_EQ(clean("\xEF\xBF\xBE"
                  "é数"),
            "\xEF\xBF\xBD"
            "é数");
  EXPECT_EQ(width_of("é数"), 3u);
  EXPECT_EQ(cut_to("数据库数据库", 5), "数据…");
  for (const auto& line : wrapped("one two three 数据库数据库数据库 four", 10)) {
    EXPECT_LE(width_of(line), 10u);
  }
}

}  // namespace
}  // namespace harness

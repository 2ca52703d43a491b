// What a right file becomes; durations, references, JSON of nodes.
#include "harness/scenario/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/prng.h"
#include "harness/scenario/test_catalog.h"

namespace harness {
namespace {

constexpr const char* whole = R"yaml(# comment
scenario: whole
title: All of it
source: Scenario 0
tier: resilience
story: >
  Two lines
  folded.
target: aima
needs: [containers, root]
timeout: 90s
vars: {count: 3, word: "yes"}
criteria:
  1: First
  second: {text: Second, expect: gap, containers: true}
  3: Third
steps:
  - start: {}
  - http: POST /api/model/create
    body: {name: "m-${count}", deep: [1, "2", true, null, 1.5, 010]}
    status: [200, 201]
    capture: {model_id: .id, other: '.items[0] | .id'}
    name: made
    timeout: 5s
  - cli: service start ${model_id} --n ${model_id.field}
    criterion: 1
    expect: |
      .status == "running"
      and $model_id != null and $at.made.end_ms > 0
  - repeat:
      times: 2
      steps:
        - http: GET /n/${index}
        - parallel:
            - http: GET /a
              criterion: second
            - http: {request: GET /b}
  - parallel: [{snapshot: a}, {snapshot: b}]
  - compare: {before: a, after: b}
    expect: {models: survived, catalog: lost}
    criterion: {models: 3, catalog: 1}
  - observe: a fact
    http: GET /health
    value: '"\(.ok) \($model_id)"'
  - await: {http: GET /ready, until: .ready, within: 3s}
  - fault: {container: {label: x, action: kill}}
    when: {random_within: 500ms}
    name: hurt
  - fault: wal-reader
finally:
  - stop: {}
  - http: GET /health
)yaml";

TEST(Scenario, Whole) {
  const auto parsed = parse_scenario(whole, "w.yaml", small_catalog(), {"port"});
  std::string problems;
  if (!parsed) {
    for (const auto& problem : parsed.error()) problems += render(problem, whole);
  }
  ASSERT_TRUE(parsed) << problems;
  const Scenario& scenario = *parsed;
  EXPECT_EQ(scenario.name, "whole");
  EXPECT_EQ(scenario.origin, "Scenario 0");
  EXPECT_EQ(scenario.story, "Two lines folded.");
  EXPECT_EQ(scenario.timeout, Milliseconds(90000));
  EXPECT_THAT(scenario.needs, ::testing::ElementsAre("containers", "root"));
  EXPECT_EQ(scenario.variables.at("count"), "3");
  ASSERT_EQ(scenario.criteria.size(), 3u);
  EXPECT_TRUE(scenario.criterion("second")->gap);
  EXPECT_TRUE(scenario.criterion("second")->containers);
  EXPECT_EQ(scenario.criterion("second")->span.line, 15);
  EXPECT_EQ(scenario.criterion("nobody"), nullptr);

  const Step& http = scenario.steps.at(1);
  EXPECT_EQ(http.kind, "http");
  EXPECT_EQ(http.path, "2");
  EXPECT_EQ(http.name, "made");
  EXPECT_EQ(http.source, "http: POST /api/model/create");
  EXPECT_EQ(to_json(http.arguments).dump(),
            R"({"request":"POST /api/model/create","body":{"name":"m-${count}","deep":[1,"2",true,null,1.5,"010"]},"status":[200,201]})");
  EXPECT_EQ(http.captures.at(1).expression.text, ".items[0] | .id");
  EXPECT_EQ(http.timeout, Milliseconds(5000));

  const Step& cli = scenario.steps.at(2);
  EXPECT_EQ(cli.criterion, "1");
  EXPECT_EQ(cli.expect->text, ".status == \"running\"\nand $model_id != null and $at.made.end_ms > 0\n");

  const Step& repeat = scenario.steps.at(3);
  ASSERT_EQ(repeat.children.size(), 2u);
  EXPECT_EQ(repeat.children[1].path, "4.2");
  EXPECT_EQ(repeat.children[1].children.at(1).path, "4.2.2");
  EXPECT_EQ(repeat.children[1].children.at(0).criterion, "second");

  const Step& compare = scenario.steps.at(5);
  EXPECT_EQ(compare.expect_of.at("catalog"), "lost");
  EXPECT_EQ(compare.criterion_of.at("models"), "3");
  EXPECT_NE(scenario.steps.at(6).arguments.find("http"), nullptr);
  EXPECT_EQ(scenario.steps.at(8).fault, "container");
  EXPECT_EQ(scenario.steps.at(8).when->random_within, Milliseconds(500));
  EXPECT_EQ(scenario.steps.at(8).arguments.find("action")->text, "kill");
  EXPECT_EQ(scenario.steps.at(9).fault, "wal-reader");
  EXPECT_EQ(scenario.finally_steps.at(1).path, "f2");
}

TEST(Scenario, AllProblemsAtOnceInOrder) {
  const std::string text =
      "scenario: x\ntarget: aima\nbogus: 1\nsteps:\n  - htp: GET /\n  - http: GET /${gone}\n"
      "    expect: .a | foo\n  - start: {}\n    criterion: 7\n";
  const auto parsed = parse_scenario(text, "x.yaml", small_catalog(), {});
  ASSERT_FALSE(parsed);
  std::vector<int> lines;
  for (const auto& problem : parsed.error()) lines.push_back(problem.where.line);
  EXPECT_THAT(lines, ::testing::ElementsAre(3, 5, 6, 7, 9));
}

TEST(Scenario, GivenNamesCount) {
  const std::string text = "scenario: x\ntarget: t\nsteps:\n  - http: GET /${port}\n";
  EXPECT_TRUE(parse_scenario(text, "x.yaml", small_catalog(), {"port"}));
  EXPECT_FALSE(parse_scenario(text, "x.yaml", small_catalog(), {}));
}

// No input may crash or hang the parser, whatever is cut off or replaced.
TEST(Scenario, DamagedFilesAreRefusedNotFatal) {
  const std::string text = whole;
  const std::string bytes = "{}[]:-#&*!|>'\"%@`\n \t\\$.,?0a\xff\x01";
  Prng chance(7);
  const StepCatalog catalog = small_catalog();
  for (int round = 0; round < 150; ++round) {
    std::string damaged = text;
    for (int i = 0; i < 3; ++i) {
      const auto at = chance.below(damaged.size());
      if (chance.below(3) == 0) {
        damaged.erase(at, chance.below(30));
      } else {
        damaged[at] = bytes[chance.below(bytes.size())];
      }
      if (damaged.empty()) damaged = "x";
    }
    const auto parsed = parse_scenario(damaged, "d.yaml", catalog, {});
    if (parsed) continue;
    EXPECT_FALSE(parsed.error().empty());
    for (const auto& problem : parsed.error()) EXPECT_FALSE(render(problem, damaged).empty());
  }
}

TEST(Scenario, HugeFilesAreRefused) {
  std::string text = "scenario: x\ntarget: aima\nsteps:\n";
  while (text.size() <= (1u << 20)) text += "  - start: {}\n";
  const auto parsed = parse_scenario(text, "x.yaml", small_catalog(), {});
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().front().message, ::testing::HasSubstr("1048576 are the most"));
}

TEST(Duration, Reads) {
  EXPECT_EQ(parse_duration("250ms"), Milliseconds(250));
  EXPECT_EQ(parse_duration("3s"), Milliseconds(3000));
  EXPECT_EQ(parse_duration("2m"), Milliseconds(120000));
  EXPECT_EQ(parse_duration("0"), Milliseconds(0));
  for (const char* bad : {"", "3", "s", "-1s", "1.5s", "3 s", "3sec", "99999999999999999999s", "2000m", "1e3s"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Substitute, ReplacesAndRefuses) {
  const std::map<std::string, Json> values{
      {"id", "a b"}, {"n", 3}, {"o", {{"p", {{"q", "deep"}}}}}, {"price", "${id}"}};
  EXPECT_EQ(substitute("x ${id}/${n} y", values), "x a b/3 y");
  EXPECT_EQ(substitute("${o.p.q} ${o.p}", values), "deep {\"q\":\"deep\"}");
  EXPECT_EQ(substitute("$${id} $id $i {x}", values), "${id} $id $i {x}");
  EXPECT_EQ(substitute("${price}", values), "${id}");  // what is put in is not read again
  EXPECT_FALSE(substitute("${gone}", values));
  EXPECT_FALSE(substitute("${o.x}", values));
  EXPECT_FALSE(substitute("${n.x}", values));
  EXPECT_FALSE(substitute("${id", values));
  EXPECT_FALSE(substitute("${}", values));
  EXPECT_EQ(substitute("${gone}", values).error().kind, ErrorKind::invalid);
}

TEST(Node, PlainScalarsAreJson) {
  const auto root = parse_yaml(
      "a: 12\nb: '12'\nc: true\nd: yes\ne: 0x10\nf: 1e3\ng:\nh: ~\ni: 12345678901234567890\nj: |\n  7\n"
      "k: -0\nl: .5\nm: \"\"\n", "n.yaml");
  ASSERT_TRUE(root);
  EXPECT_EQ(to_json(*root).dump(),
            R"({"a":12,"b":"12","c":true,"d":"yes","e":"0x10","f":1000.0,"g":null,"h":null,"i":1.2345678901234567e+19,"j":"7\n","k":-0.0,"l":".5","m":""})");
  EXPECT_EQ(root->find("g")->span.line, 7);
}
}  // namespace
}  // namespace harness

// What expect and capture take for true, and what no expression may do.
#include "harness/scenario/expression.h"

#include <malloc.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/scenario/expression_text.h"
#include "harness/scenario/jq_program.h"

namespace harness {
namespace {

Expression jq(const std::string& text) { return {text, Span{"t.yaml", 7, 11}, Span{"t.yaml", 7, 11}}; }

class ExpressionTest : public ::testing::Test {
 protected:
  Evaluation expect(const std::string& text, const Json& document, const Json& bindings = Json::object()) {
    return expressions.expect(jq(text), document, bindings);
  }
  Truth truth(const std::string& text, const Json& document, const Json& bindings = Json::object()) {
    return expect(text, document, bindings).truth;
  }
  Expressions expressions;
};

const Json items = {{"items", {{{"id", "a"}, {"n", 1}}, {{"id", "b"}, {"n", 2}}}}, {"total", 2}};

TEST_F(ExpressionTest, OnlyOneTruePasses) {
  EXPECT_EQ(truth(".total == 2", items), Truth::pass);
  EXPECT_EQ(truth(".total == 3", items), Truth::fail);
  EXPECT_EQ(truth("empty", items), Truth::inconclusive);
  EXPECT_EQ(truth(".items[] | .n > 0", items), Truth::inconclusive);  // two outputs
  EXPECT_EQ(truth("null", items), Truth::inconclusive);
  EXPECT_EQ(truth(".total", items), Truth::inconclusive);             // 2 is not true
  EXPECT_EQ(truth("\"true\"", items), Truth::inconclusive);
  EXPECT_EQ(truth("error(\"x\")", items), Truth::inconclusive);
  EXPECT_EQ(truth("error(null)", items), Truth::inconclusive);
  EXPECT_EQ(truth("true, error(\"x\")", items), Truth::inconclusive);
  EXPECT_EQ(truth(".total | .a", items), Truth::inconclusive);        // cannot index a number
}

TEST_F(ExpressionTest, NothingJudgedIsNoPass) {
  const Json none = {{"items", Json::array()}};
  EXPECT_EQ(truth("all(.items[]; .n > 0)", items), Truth::pass);
  EXPECT_EQ(truth("all(.items[]; .n > 1)", items), Truth::fail);
  for (const char* text : {"all(.items[]; .n > 0)", ".items | all(.n > 0)", ".items | map(.n > 0) | all",
                           "any(.items[]; .n > 9) | not", ".items | any(.n > 9) | not",
                           ".items | map(.n > 9) | any | not"}) {
    EXPECT_EQ(truth(text, none), Truth::inconclusive) << text;
    EXPECT_THAT(expect(text, none).detail, ::testing::HasSubstr("empty")) << text;
  }
}

TEST_F(ExpressionTest, AnEmptyListAsDocument) {
  const Json none = Json::array();
  EXPECT_EQ(truth("length == 0", none), Truth::pass);
  EXPECT_EQ(truth("(length == 0)", none), Truth::pass);
  EXPECT_EQ(truth(". == []", none), Truth::pass);
  EXPECT_EQ(truth(". | length == 0", none), Truth::pass);
  EXPECT_EQ(truth("isempty(.[])", none), Truth::pass);
  // True, but of nothing.
  EXPECT_EQ(truth("map(select(.state != \"running\")) == []", none), Truth::inconclusive);
  EXPECT_EQ(truth("[.[].id] | sort == $before", none, {{"before", Json::array()}}), Truth::inconclusive);
  // False is false: what should be there is gone.
  EXPECT_EQ(truth("[.[].id] | sort == $before", none, {{"before", {"a"}}}), Truth::fail);
  EXPECT_EQ(truth("length == 1 and .[0].state == \"running\"", none), Truth::fail);
  // Not about the document at all.
  EXPECT_EQ(truth("$exit == 0", none, {{"exit", 0}}), Truth::pass);
}

// 0 is never compared with 0: what was captured was empty, so there was nothing to find again.
TEST_F(ExpressionTest, AnEmptyCapture) {
  const Json none = {{"items", Json::array()}};
  const Json empty = {{"ids", Json::array()}};
  EXPECT_EQ(truth("[.items[].id] == $ids", none, empty), Truth::inconclusive);
  EXPECT_EQ(truth("$ids == ([.items[].id] | sort)", none, empty), Truth::inconclusive);
  EXPECT_EQ(truth("([.items[].id] | sort) == ($ids)", none, empty), Truth::inconclusive);
  EXPECT_EQ(truth("[.items[].id] == $ids", items, empty), Truth::fail);
  EXPECT_EQ(truth("[.items[].id] == $ids", items, {{"ids", {"a", "b"}}}), Truth::pass);
  EXPECT_EQ(truth("$ids == [] and [.items[].id] == $ids", none, empty), Truth::pass);
}

TEST(OperandsOf, AreWhatIsComparedAtTheTop) {
  const auto programs = [](const char* text) {
    std::string all;
    for (const auto& operand : operands_of(text)) all += "[" + operand.program + "]";
    return all;
  };
  EXPECT_EQ(programs("length == 1 and .[0].state == \"running\""), "[length][.[0].state]");
  EXPECT_EQ(programs("[.[] | select(.a == 1) | .id] | sort == $before"),
            "[[.[] | select(.a == 1) | .id] | sort]");
  EXPECT_EQ(programs("3 <= .n"), "[.n]");
  EXPECT_EQ(programs(".a as $x | $x == .b"), "[.a as $x | $x]");
  EXPECT_EQ(programs("(.files | length) == 0"), "[(.files | length)]");
  EXPECT_EQ(programs("\"a\\(.n == 1)\" == .s"), "[\"a\\(.n == 1)\"]");
  for (const char* none : {".running", "any(.[]; .id == 1)", "if .a == 1 then true else null end",
                           ".a, .b == 1", "1 == 1", "def f: .a; f == 1", "(", "reduce .[] as $x (0; . + 1) == 2"}) {
    EXPECT_EQ(programs(none), "") << none;
  }
}

TEST_F(ExpressionTest, NoDocument) {
  EXPECT_EQ(truth(". == null", nullptr), Truth::inconclusive);
  EXPECT_EQ(truth(".a != 3", nullptr), Truth::inconclusive);
  EXPECT_EQ(truth("length == 0", nullptr), Truth::inconclusive);
  EXPECT_EQ(truth("$status == 204", nullptr, {{"status", 204}}), Truth::pass);
  EXPECT_EQ(truth("$error == \"refused\" and ($headers | length == 0)", nullptr,
                  {{"error", "refused"}, {"headers", Json::object()}}), Truth::pass);
}

TEST_F(ExpressionTest, AMisspelledPathIsNoPass) {
  EXPECT_EQ(truth(".itms == null", items), Truth::inconclusive);
  EXPECT_THAT(expect(".itms == null", items).detail, ::testing::HasSubstr(".itms"));
  EXPECT_EQ(truth(".itms | not", items), Truth::inconclusive);
  EXPECT_EQ(truth(".totl != 5", items), Truth::inconclusive);
  EXPECT_EQ(truth(".items[0].nn != 5", items), Truth::inconclusive);
  EXPECT_EQ(truth(".items[7] == null", items), Truth::inconclusive);
  EXPECT_EQ(truth(".[\"itms\"] == null", items), Truth::inconclusive);
  EXPECT_EQ(truth(".\"itms\" == null", items), Truth::inconclusive);
  EXPECT_EQ(truth("(.total == 2) and (.itms == null)", items), Truth::inconclusive);
  EXPECT_EQ(truth(".itms == 3", items), Truth::fail);
  EXPECT_THAT(expect(".itms == 3", items).detail, ::testing::HasSubstr("no .itms"));
}

TEST_F(ExpressionTest, AbsenceThatIsMeant) {
  EXPECT_EQ(truth("has(\"itms\") | not", items), Truth::pass);
  EXPECT_EQ(truth(".itms? == null", items), Truth::pass);
  EXPECT_EQ(truth("(.itms // 5) == 5", items), Truth::pass);
  // The path that is absent was never needed.
  EXPECT_EQ(truth(".total == 2 or .itms == 3", items), Truth::pass);
  EXPECT_EQ(truth("if .total == 2 then true else .itms end", items), Truth::pass);
  EXPECT_EQ(truth(".a == null", {{"a", nullptr}}), Truth::pass);  // there, and null
  EXPECT_EQ(truth("[.items[] | .zz == null] | all", items), Truth::pass);  // inside a list: not followed
}

TEST_F(ExpressionTest, Bindings) {
  EXPECT_EQ(truth("$status == 200 and .total == $n", items, {{"status", 200}, {"n", 2}}), Truth::pass);
  EXPECT_EQ(truth("$gone == null", items), Truth::inconclusive);
  EXPECT_THAT(expect("$gone == null", items).detail, ::testing::HasSubstr("$gone has no value"));
  EXPECT_EQ(truth("[.items[] as $i | $i.n] == [1,2]", items), Truth::pass);
  EXPECT_EQ(truth("reduce .items[] as {n: $n} (0; . + $n) == 3", items), Truth::pass);
  EXPECT_EQ(truth("def f($k): $k + 1; f(1) == 2", items), Truth::pass);
  EXPECT_EQ(truth("\"\\(.total) of \\($n)\" == \"2 of 2\"", items, {{"n", 2}}), Truth::pass);
}

TEST_F(ExpressionTest, CaptureTakesOneValue) {
  const auto capture = [&](const std::string& text) {
    return expressions.capture(jq(text), items, Json::object());
  };
  EXPECT_EQ(capture(".items[0].id").value(), "a");
  EXPECT_EQ(capture(".items").value().dump(), items["items"].dump());
  for (const char* text : {".items[].id", ".itms", "empty", "nan", "9007199254740993 + 2", "error"}) {
    const auto result = capture(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().where->line, 7);
  }
  EXPECT_EQ(expressions.outputs(jq(".items[].id"), items, Json::object()).value().size(), 2u);
}

TEST_F(ExpressionTest, WhatReachesOutsideIsRefused) {
  ::setenv("AIMA_TEST_SECRET", "leak", 1);
  for (const char* text : {"now", "env.AIMA_TEST_SECRET", "$ENV.AIMA_TEST_SECRET", "input", "[inputs]",
                           "debug", "halt", "\"x\" | halt_error", "input_filename", "import \"a\" as a; .",
                           "include \"a\"; .", "localtime", "$__loc__ | $ENV", "[1, now, 2]",
                           "\"\\(env)\"", "get_search_list", "__at([\"a\"])"}) {
    EXPECT_FALSE(read_expression(text).problems.empty()) << text;
    EXPECT_EQ(truth(text, items), Truth::inconclusive) << text;
  }
  // Only words that call something.
  EXPECT_EQ(truth("{now: 1, env: 2} | .now + .env == 3", items), Truth::pass);
  EXPECT_EQ(truth("\"now env input\" | test(\"input\")", items), Truth::pass);
}

TEST_F(ExpressionTest, TheHomeFileOfJqIsNotLoaded) {
  const auto home = std::filesystem::path(AIMA_BINARY_DIR) / "jq-home";
  std::filesystem::create_directories(home);
  std::ofstream(home / ".jq") << "def length: 4711;";
  const std::string before = std::getenv("HOME") ? std::getenv("HOME") : "";
  ::setenv("HOME", home.c_str(), 1);
  EXPECT_EQ(truth(".items | length == 2 and true", items), Truth::pass);
  EXPECT_EQ(std::string(std::getenv("HOME")), home.string());
  ::setenv("HOME", before.c_str(), 1);
  std::filesystem::remove_all(home);
}

TEST_F(ExpressionTest, EndlessOnesEnd) {
  for (const char* text : {"[range(1e12)] | length", "def f: f; f", "until(false; .)"}) {
    const auto begin = Clock::now();
    const Evaluation result = expect(text, items);
    EXPECT_EQ(result.truth, Truth::inconclusive) << text;
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20)) << text;
  }
  EXPECT_THAT(expect("last(range(1e12)) == 3", items).detail, ::testing::HasSubstr("longer than"));
  EXPECT_EQ(truth(".total == 2", items), Truth::pass);  // the program is as good as before
}

TEST_F(ExpressionTest, DeepDocuments) {
  Json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = Json::array({std::move(deep)});
  const Evaluation result = expect("length == 1", deep);
  EXPECT_EQ(result.truth, Truth::inconclusive);
  EXPECT_THAT(result.detail, ::testing::HasSubstr("deeper than 200"));
  EXPECT_EQ(truth("true", {{"x", 1}}, {{"v", deep}}), Truth::inconclusive);
  Json well = 1;
  for (int i = 0; i < 150; ++i) well = Json::array({std::move(well)});
  EXPECT_EQ(truth("flatten == [1]", well), Truth::pass);
  EXPECT_FALSE(expressions.capture(jq("reduce range(1000) as $i (0; [.])"), 1, Json::object()));
}

TEST_F(ExpressionTest, ManyInOneProgram) {
  std::vector<Expression> all;
  for (int i = 0; i < 450; ++i) all.push_back(jq(".n == " + std::to_string(i)));
  EXPECT_TRUE(expressions.prepare(all).empty());
  for (int i = 0; i < 450; i += 7) {
    EXPECT_EQ(expressions.expect(all[static_cast<std::size_t>(i)], {{"n", i}}, {}).truth, Truth::pass);
    EXPECT_EQ(expressions.expect(all[static_cast<std::size_t>(i)], {{"n", i + 1}}, {}).truth, Truth::fail);
  }
}

// An expression must not close what encloses it, nor hide its neighbour behind a comment or a quote.
TEST_F(ExpressionTest, NeighboursStayApart) {
  const std::vector<std::string> bad{"1) | (2", ") elif true then (true", "\"", "(", "]", "{]", "\"\\(1\"",
                                     "true end", "if true then true", ".a |", ". = = 1", "foo(1)"};
  for (const auto& text : bad) {
    Expressions fresh;
    const auto problems = fresh.prepare({jq(".n == 1"), jq(text), jq(".n == 2 # comment")});
    ASSERT_EQ(problems.size(), 1u) << text;
    EXPECT_EQ(fresh.expect(jq(text), {{"n", 1}}, {}).truth, Truth::inconclusive) << text;
    EXPECT_EQ(fresh.expect(jq(".n == 1"), {{"n", 1}}, {}).truth, Truth::pass) << text;
    EXPECT_EQ(fresh.expect(jq(".n == 2 # comment"), {{"n", 1}}, {}).truth, Truth::fail) << text;
  }
}

TEST_F(ExpressionTest, ErrorsNameTheirColumn) {
  const auto column = [](const std::string& text) {
    Expressions fresh;
    const auto problems = fresh.prepare({jq(".ok"), jq(text)});
    return problems.size() == 1 ? problems[0].where.column - 10 : -1;
  };
  EXPECT_EQ(column(".a | lenght"), 6);
  EXPECT_EQ(column(".a = = 3"), 6);
  EXPECT_EQ(column("\"äö\" | foo"), 8);  // characters, not bytes
  EXPECT_EQ(column(".a == 'x'"), 7);
  EXPECT_EQ(column("(.a | now)"), 7);
  EXPECT_EQ(column(".a == 1 &"), 9);
  Expressions fresh;
  const auto problems = fresh.prepare({jq(".a | lenght")});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].hint, "did you mean `length`?");
}

TEST_F(ExpressionTest, ProgramsAreSharedThroughThePool) {
  const Expression odd = jq(".only_here == 4711");
  {
    Expressions first;
    ASSERT_TRUE(first.prepare({odd}).empty());
    EXPECT_EQ(take_program_with(odd.text), nullptr);  // in use
  }
  auto program = take_program_with(odd.text);
  ASSERT_NE(program, nullptr);
  give_back(std::move(program));
  Expressions second;
  EXPECT_EQ(second.expect(odd, {{"only_here", 4711}}, {}).truth, Truth::pass);
}
// Each of these ended the process, or took all memory, before libjq was held (jq_guard.h).
TEST_F(ExpressionTest, HugeOnesAreGivenUp) {
  const Json document = {{"items", {1}}, {"text", std::string(200, 'a') + "!"}};
  for (const char* text :
       {"[range(1e9)] | length > 3", "\"x\" * 1e9 | length > 3", ".items[1e9] = 1 | length > 3",
        "[limit(1e9; repeat(1))] | length > 3", "reduce range(1e9) as $i (null; [., .]) | length > 3",
        "def f: [f]; f | length > 3", "[.items | recurse(.)] | length > 3",
        "setpath([range(3e6) | 0]; 1) | length > 0",
        "reduce range(1e9) as $i (\"x\"; . + .) | length > 3"}) {
    const auto begin = Clock::now();
    const Evaluation result = expect(text, document);
    EXPECT_EQ(result.truth, Truth::inconclusive) << text;
    EXPECT_NE(result.detail, "") << text;
    EXPECT_LT(milliseconds(Clock::now() - begin), 20'000) << text;
    EXPECT_EQ(truth(".items == [1]", document), Truth::pass) << "after " << text;
  }
  // Deep, but not too large: freed, printed, compared and measured by recursion.
  for (const char* text : {"reduce range(150000) as $i (0; [.]) | length == 1",
                           "reduce range(150000) as $i (0; [.]) | tojson | length > 3",
                           "reduce range(150000) as $i (0; [.]) | . == . | not | not"}) {
    expect(text, document);
    EXPECT_EQ(truth(".items == [1]", document), Truth::pass) << "after " << text;
  }
}

TEST_F(ExpressionTest, WhatIsGivenUpIsNotTriedAgain) {
  EXPECT_THAT(expect("\"x\" * 1e9 | length > 3", items).detail, ::testing::ContainsRegex("128 MiB|too long"));
  // The quickest of some: on a busy machine any one of them may have waited for a processor.
  double quickest_ms = 1e9;
  for (int time = 0; time < 20; ++time) {
    const auto begin = Clock::now();
    EXPECT_THAT(expect("\"x\" * 1e9 | length > 3", items).detail,
                ::testing::ContainsRegex("128 MiB|too long"));
    quickest_ms = std::min(quickest_ms, milliseconds(Clock::now() - begin));
  }
  EXPECT_LT(quickest_ms, 5);
}

TEST_F(ExpressionTest, AMatchThatBacktracksIsGivenUp) {
  const auto begin = Clock::now();
  const Json document = {{"text", std::string(4000, 'a') + "!"}};
  EXPECT_EQ(truth(".text | test(\"^(a|aa)+$\") | not", document), Truth::inconclusive);
  EXPECT_LT(milliseconds(Clock::now() - begin), 10'000);
  EXPECT_EQ(truth(".text | test(\"^a+!$\")", document), Truth::pass);
}

// LeakSanitizer cannot tell (libjq is suppressed as a whole); what malloc has given out can.
TEST_F(ExpressionTest, EvaluationsKeepNoMemory) {
  std::vector<CompileProblem> problems;
  const std::vector<std::string> texts = {".items | map(.n) | add == 3", ".items[].id", ".total", "empty",
                                          "error(\"no\")", "$v | test(\"a+\")", ".n | .[0]"};
  auto program = JqProgram::compile(texts, problems);
  ASSERT_NE(program, nullptr);
  for (std::size_t which = 0; which < texts.size(); ++which) {
    const auto in_use_after = [&](int times) {
      for (int at = 0; at < times; ++at) {
        program->run(which, items, {{"v", "baab"}}, at % 2 == 0 ? 1 : 3, Milliseconds(2000));
      }
      return static_cast<std::ptrdiff_t>(::mallinfo2().uordblks);
    };
    constexpr int times = 15'000;  // one small block lost in each would be 480,000 bytes
    const auto before = in_use_after(200), after = in_use_after(times);
    EXPECT_LT(after - before, 100'000) << texts[which];
  }
}

TEST_F(ExpressionTest, WhatIsTooCostlyToCompileIsNamed) {
  std::string huge;
  for (int at = 0; at < 9000; ++at) huge += "[";
  huge += "1" + std::string(9000, ']');
  const auto begin = Clock::now();
  const auto diagnostics = expressions.prepare({jq(huge), jq(".total == 2")});
  EXPECT_LT(milliseconds(Clock::now() - begin), 60'000);
  EXPECT_EQ(truth(".total == 2", items), Truth::pass);
}

}  // namespace
}  // namespace harness

// Lies on the wire: each is told to a real client of a real daemon, and noticed. And the texts they
// are made of.
#include <gmock/gmock.h>

#include <algorithm>

#include "harness/prove/changes_of_reply.h"
#include "harness/prove/wal.h"
#include "harness/prove/wire_text.h"
#include "harness/prove/world_test_support.h"
#include "harness/target/containment.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

constexpr const char* told = R"(
scenario: told
target: aima
timeout: 30s
criteria: {1: kept, 2: {text: lost, expect: gap}, 3: by command, 4: by request, 5: gone, 6: refused}
steps:
  - start: {}
  - http: POST /api/model/create
    body: {name: told-model}
  - http: POST /api/catalog/create
    body: {name: told-recipe, engine_type: vllm, hardware: {gpu_vendor: NVIDIA}, config: {}}
  - snapshot: before
  - restart: {signal: KILL}
  - snapshot: after
  - compare: {before: before, after: after}
    expect: {models: survived, catalog: lost}
    criterion: {models: 1, catalog: 2}
  - cli: model list
    criterion: 3
    expect: '[.items[].name] == ["told-model"]'
  - http: GET /api/model/list
    criterion: 4
  - http: POST /api/engine/create
    criterion: 6
    body: {name: vllm}
    status: [404, 405]
  - sqlite: SELECT COUNT(*) AS n FROM models WHERE name = 'never-made'
    criterion: 1
    expect: '.[0].n == 0'
  - stop: {}
    criterion: 5
)";

class Told : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(become_subreaper());
    proving = new Proving(told);
    ASSERT_EQ(proving->control.answer, Answer::pass) << proving->control.reason;
  }
  static void TearDownTestSuite() { delete proving; }

  static void expect_fails(const std::string& name, const Place& place,
                           const std::string& criterion, const std::string& what) {
    const auto places = proving->places(name);
    ASSERT_TRUE(std::any_of(
        places.begin(), places.end(),
        [&](const Place& one) { return one.detail == place.detail && one.step == place.step; }))
        << name << " has no place " << place.detail << "@" << place.step;
    const Struck seen = proving->strike(name, place);
    EXPECT_THAT(seen.what, HasSubstr(what)) << name << ": " << seen.missed;
    for (const auto& finding : seen.verdict.findings) {
      const Answer wanted = finding.criterion == criterion ? Answer::fail : Answer::pass;
      EXPECT_EQ(finding.answer, wanted) << name << ", criterion " << finding.criterion;
    }
    EXPECT_TRUE(seen.verdict.harness_leftovers.empty());
  }
  static Proving* proving;
};
Proving* Told::proving = nullptr;

// Exactly the criterion that is lied to fails: the lie is told to nobody else.
TEST_F(Told, ListsThatAreCompared) {
  expect_fails("hide-item", {"models", "6"}, "1", "left out");
  expect_fails("alter-item", {"models", "6"}, "1", "in place of");
  expect_fails("revive-item", {"catalog", "6"}, "2", "which is lost");
}

TEST_F(Told, AnswersToACommand) {
  expect_fails("answer-500", {"3", "8"}, "3", "500 in place of 200");
  expect_fails("cut-answer", {"3", "8"}, "3", "bytes of the body");
  expect_fails("change-answer", {"3", "8"}, "3", "the last of /items left out");
}

TEST_F(Told, AnswersToARequest) {
  expect_fails("answer-500", {"4", "9"}, "4", "500 in place of 200");
  expect_fails("cut-answer", {"4", "9"}, "4", "bytes of the body");
  expect_fails("change-answer", {"4", "9"}, "4", "404 in place of 200");
  expect_fails("change-answer", {"6", "10"}, "6", "200 in place of 40");
}

TEST_F(Told, WhatNobodyAskedForCannotBeFalsified) {
  const Struck seen = proving->strike("answer-500", {"1", "11"});
  EXPECT_EQ(seen.what, "");
  EXPECT_THAT(seen.missed, HasSubstr("nobody asked the daemon"));
  EXPECT_EQ(seen.verdict.answer, Answer::pass) << seen.verdict.reason;
  EXPECT_THAT(proving->strike("revive-item", {"models", "6"}).missed,
              HasSubstr("none could be falsified"));
  EXPECT_THAT(proving->strike("hide-item", {"nothing", "6"}).missed, HasSubstr("lists no nothing"));
}

TEST_F(Told, ARestartHasItsGapBeforeTheSpawn) {
  const Struck seen = proving->strike("drop-row", {"models", "5"});
  EXPECT_THAT(seen.what, HasSubstr("deleted the newest row of models (0 left)")) << seen.missed;
  EXPECT_EQ(answer_of(seen.verdict, "1"), Answer::fail);
}

TEST_F(Told, ARowTooMany) {
  expect_fails("add-row", {"1", "11"}, "1", R"([{"n":1}] in place of [{"n":0}])");
}

TEST_F(Told, GoneTooLate) {
  const Struck seen = proving->strike("delay-exit", {"5", "12"});
  EXPECT_THAT(seen.what, HasSubstr("held at its exit")) << seen.missed;
  EXPECT_EQ(answer_of(seen.verdict, "5"), Answer::fail);
}

TEST(WireText, ChunkedBodiesArePutTogether) {
  EXPECT_EQ(unchunked("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), "abcde");
  EXPECT_EQ(unchunked("3\r\nab"), std::nullopt);
  EXPECT_EQ(unchunked(""), std::nullopt);
}

TEST(WireText, ACutReplyPromisesItsWholeLength) {
  WireReply reply{200, {{"content-type", "application/json"}}, "0123456789", true};
  const std::string text = reply_text(reply, false);
  EXPECT_THAT(text, HasSubstr("content-length: 10\r\n"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n01234"));
  reply.cut = false;
  EXPECT_TRUE(reply_text(reply, false).ends_with("0123456789"));
  EXPECT_TRUE(reply_text(reply, true).ends_with("\r\n\r\n"));
}

TEST(Changes, TheSmallestThatIsWantedIsTaken) {
  const Json document = {{"items", {{{"id", "a"}, {"n", 1}}, {{"id", "b"}, {"n", 2}}}},
                         {"total", 2}};
  std::vector<std::string> tried;
  EXPECT_FALSE(try_changes(document, [&](const Json&, const std::string& what) {
    tried.push_back(what);
    return false;
  }));
  ASSERT_EQ(tried.size(), 7u);  // one list, five values, the list emptied
  EXPECT_THAT(tried.front(), HasSubstr("the last of /items left out"));
  EXPECT_THAT(tried.back(), HasSubstr("/items empty"));
  EXPECT_TRUE(try_changes(document, [](const Json& changed, const std::string&) {
    return changed["items"][0]["n"] == 2;
  }));
}

TEST(Changes, ItemsAreFoundByTheirKey) {
  Json document = {{"data", {{"items", {{{"id", "a"}}, {{"id", "b"}}}}}}};
  const FoundItem found = find_item(document, "id", "b");
  ASSERT_NE(found.list, nullptr);
  EXPECT_EQ(found.index, 1u);
  EXPECT_EQ(find_item(document, "id", "c").list, nullptr);
  EXPECT_EQ(first_list(document), &document["data"]["items"]);
}

TEST(Wal, AFileThatIsNoneHasNoTransaction) {
  EXPECT_TRUE(read_wal("/proc/self/exe").commits.empty());
  EXPECT_TRUE(read_wal("/nowhere").commits.empty());
}
}  // namespace
}  // namespace harness

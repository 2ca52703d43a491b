// What goes to stdout and stderr, character by character where programs or eyes depend on it.
#include "daemon/cli/format.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "daemon/cli/body_file.h"
#include "daemon/cli/event_stream.h"

namespace aima::cli {
namespace {

TEST(Format, ListsAreAlignedAlsoBeyondAscii) {
  const Json list{{"items", {{{"id", "a"}, {"name", "größe"}, {"created_at", "x"}},
                             {{"id", "bcd"}, {"name", ""}, {"created_at", "y"}}}},
                  {"total", 5}};
  EXPECT_EQ(format_table(list, {"id", "name", "created_at"}),
            "ID   NAME   CREATED AT\n"
            "a    größe  x\n"
            "bcd  -      y\n"
            "(2 of 5; --limit and --offset show others)\n");
  EXPECT_EQ(format_table(Json{{"items", Json::array()}, {"total", 0}}, {"id", "name"}),
            "ID  NAME\n(none)\n");
}

TEST(Format, ColumnsMayLookInside) {
  const Json list{{"items", {{{"score", 1}, {"recipe", {{"name", "r"}}}}, {{"score", 2}}}}};
  EXPECT_EQ(format_table(list, {"score", "recipe.name"}), "SCORE  NAME\n1      r\n2      -\n");
}

TEST(Format, ObjectsAreFieldAndValue) {
  const Json object{{"id", "a"}, {"tags", {"x", "y"}}, {"port", 8000}, {"content", "one\ntwo"}};
  EXPECT_EQ(format_table(object, {}), "id    a\ntags  x,y\nport  8000\n\ncontent:\none\ntwo\n");
}

TEST(Format, ListsOfObjectsStandBelow) {
  const Json object{{"id", "a"},
                    {"steps", {{{"id", "s"}, {"output", std::string(60, 'x')}}}},
                    {"status", "done"}};
  EXPECT_EQ(format_table(object, {}), "id      a\nstatus  done\n\nsteps:\nID  OUTPUT\ns   " +
                                          std::string(47, 'x') + "…\n");
}

TEST(Format, ACellCannotMoveTheCursor) {
  EXPECT_EQ(format_table(Json{{"name", "a\x1b[2Jb"}}, {}), "name  a [2Jb\n");
}

TEST(Format, JsonIsOneDocumentAlsoForBrokenUtf8) {
  const std::string text = format(Json{{"a", "\xff"}}, Output::json, {});
  EXPECT_EQ(Json::parse(text)["a"], "\xEF\xBF\xBD");
}

TEST(Format, YamlReadsBackAsItWas) {
  const Json value = Json::parse(R"({"items":[{"id":"model-1","port":80,"on":true,"none":null,
    "deep":[[1,2],{"a":"b: c"},[]],"empty":{}},{"s":"true","n":"12","dash":"- x","t":"2026-01-01",
    "m":"two\nlines","u":"größe","":"empty key"}],"total":2})");
  const auto read = parse_body(format_yaml(value), "printed");
  ASSERT_TRUE(read) << read.error().message << "\n" << format_yaml(value);
  EXPECT_EQ(*read, value) << format_yaml(value);
}

TEST(Format, ErrorsForPeopleAndForPrograms) {
  const Error error{404, "not_found", "no model x", nullptr};
  EXPECT_EQ(format_error(error, Output::table), "aima: no model x\n");
  EXPECT_EQ(Json::parse(format_error(error, Output::json)),
            (Json{{"error", {{"code", "not_found"}, {"message", "no model x"}}}}));
}

TEST(EventStream, PiecesMayBeSplitAnywhere) {
  const std::string text =
      ": comment\r\n\r\ndata: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n"
      "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"lo\"},"
      "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    std::string seen;
    EventStream events([&seen](const std::string& piece) { seen += piece; });
    for (std::size_t at = 0; at < text.size(); at += size) events.feed(text.substr(at, size));
    ASSERT_EQ(seen, "Hello") << size;
    ASSERT_TRUE(events.finished());
    EXPECT_EQ(events.completion()["choices"][0]["message"]["content"], "Hello");
    EXPECT_EQ(events.completion()["choices"][0]["finish_reason"], "stop");
  }
}

TEST(EventStream, AnErrorEventEndsIt) {
  EventStream events([](const std::string&) {});
  EXPECT_FALSE(events.feed("data: {\"error\":{\"code\":\"engine\",\"message\":\"died\"}}\n"));
  ASSERT_TRUE(events.error());
  EXPECT_EQ(events.error()->message, "died");
}
}  // namespace
}  // namespace aima::cli

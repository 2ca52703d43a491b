#include "daemon/domain/rules.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "daemon/domain/engine.h"
#include "daemon/domain/steps.h"

namespace aima {
namespace {

Json step(const char* id, std::vector<std::string> depends_on = {}) {
  return Json{{"id", id}, {"unit", "model.list"}, {"depends_on", depends_on}};
}

std::string steps_refusal(const Json& steps) {
  auto parsed = parse_steps(steps);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().http_status, 400);
  return parsed.error().message;
}

TEST(Steps, AcceptsADiamond) {
  auto steps = parse_steps(
      Json::array({step("d", {"b", "c"}), step("b", {"a"}), step("c", {"a", "a"}), step("a")}));
  ASSERT_TRUE(steps) << steps.error().message;
  EXPECT_EQ((*steps)[0].depends_on, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ((*steps)[2].depends_on, (std::vector<std::size_t>{3}));
}

TEST(Steps, RefusesCyclesWithTheirPath) {
  EXPECT_NE(steps_refusal(Json::array({step("a", {"c"}), step("b", {"a"}), step("c", {"b"})}))
                .find("a -> c -> b -> a"),
            std::string::npos);
  EXPECT_NE(steps_refusal(Json::array({step("a", {"a"})})).find("a -> a"), std::string::npos);
}

TEST(Steps, RefusesBadShapes) {
  EXPECT_NE(
      steps_refusal(Json::array({step("a"), step("a")})).find("'a' is already the id of steps[0]"),
      std::string::npos);
  EXPECT_NE(
      steps_refusal(Json::array({step("load"), step("b", {"laod"})})).find("did you mean 'load'"),
      std::string::npos);
  EXPECT_NE(steps_refusal(Json::array()).find("at least one"), std::string::npos);
  EXPECT_NE(steps_refusal(Json::array({Json{{"id", "a"}}})).find("steps[0].unit"),
            std::string::npos);
  EXPECT_NE(steps_refusal(Json::array({Json{{"id", "a"}, {"unit", "x.y"}, {"depend_on", 1}}}))
                .find("steps[0].depend_on': unknown field; did you mean 'depends_on'"),
            std::string::npos);
  EXPECT_NE(steps_refusal(Json::array({Json{{"id", "a b"}, {"unit", "x.y"}}})).find("steps[0].id"),
            std::string::npos);
  EXPECT_NE(steps_refusal(Json::array({Json{{"id", "a"}, {"unit", "x.y"}, {"input", 3}}}))
                .find("steps[0].input"),
            std::string::npos);
}

TEST(Steps, AsksAboutUnits) {
  auto parsed = parse_steps(Json::array({step("a")}), [](const std::string& unit) {
    return unit == "model.list" ? "no such unit today" : "";
  });
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("steps[0].unit': no such unit today"), std::string::npos);
}

TEST(Rules, Names) {
  EXPECT_TRUE(check_name("name", "TinyLlama 1.1B (übung)"));
  for (const std::string& bad : {std::string(), std::string("a\nb"), std::string(" a"),
                                 std::string("a "), std::string(201, 'x'), std::string("a\0b", 3)})
    EXPECT_FALSE(check_name("name", bad)) << bad;
}

TEST(Rules, Paths) {
  EXPECT_TRUE(check_path("path", "/models/..hidden/a..b"));
  for (const char* bad : {"", "models/x", "/models/../etc/passwd", "/models/..", "/a\nb"})
    EXPECT_FALSE(check_path("path", bad)) << bad;
}

TEST(Engines, AllFiveLoadAndTheEnvironmentOverrides) {
  auto plain = EngineSet::load();
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->all().size(), 5U);
  for (const char* name : {"vllm", "ollama", "llamacpp", "asr", "tts"}) {
    const EngineSpec* engine = plain->find(name);
    ASSERT_NE(engine, nullptr) << name;
    EXPECT_FALSE(engine->image.empty()) << name;
    EXPECT_FALSE(engine->native_command.empty()) << name;
    EXPECT_GE(engine->startup_timeout, std::chrono::seconds(60)) << name;
  }
  ::setenv("AIMA_ENGINE_VLLM_IMAGE", "fixture:1", 1);
  ::setenv("AIMA_ENGINE_VLLM_COMMAND", "  /bin/engine  --fast ", 1);
  auto changed = EngineSet::load();
  ::unsetenv("AIMA_ENGINE_VLLM_IMAGE");
  ::unsetenv("AIMA_ENGINE_VLLM_COMMAND");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->find("vllm")->image, "fixture:1");
  EXPECT_EQ(changed->find("vllm")->native_command,
            (std::vector<std::string>{"/bin/engine", "--fast"}));
  EXPECT_EQ(changed->find("tts")->image, plain->find("tts")->image);
}
}  // namespace
}  // namespace aima

// The words that people type, and the refusals they get.
#include "daemon/cli/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "daemon/cli/body_file.h"
#include "daemon/cli/suggest.h"

namespace aima::cli {
namespace {
using ::testing::HasSubstr;

struct Parsed {
  Globals globals;
  Result<Invocation> result;
};

Parsed parse_words(const std::vector<std::string>& words,
                   const std::map<std::string, std::string>& environment = {}) {
  Parsed out;
  out.result = parse(
      words,
      [&environment](const std::string& name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        if (found == environment.end()) return std::nullopt;
        return found->second;
      },
      out.globals);
  return out;
}

Parsed parse_line(const std::string& line) {
  std::istringstream in(line);
  return parse_words({std::istream_iterator<std::string>(in), {}});
}

std::string refusal(const std::string& line) {
  const auto parsed = parse_line(line);
  if (parsed.result) return "was accepted";
  EXPECT_EQ(parsed.result.error().code, "usage");
  return parsed.result.error().message;
}

TEST(Parse, TheScenariosWordsAsTheyTypeThem) {
  auto create = parse_line("model create --name m --source ollama --repo tinyllama");
  ASSERT_TRUE(create.result);
  EXPECT_EQ(create.result->unit, "model.create");
  EXPECT_EQ(create.result->input,
            (Json{{"name", "m"}, {"source", "ollama"}, {"repo", "tinyllama"}}));
  auto list = parse_line("model list --output json");
  ASSERT_TRUE(list.result);
  EXPECT_EQ(list.result->unit, "model.list");
  EXPECT_EQ(list.result->globals.output, Output::json);
  auto service = parse_line("service create --model-id model-1 --engine-type vllm");
  ASSERT_TRUE(service.result);
  EXPECT_EQ(service.result->input, (Json{{"model_id", "model-1"}, {"engine_type", "vllm"}}));
  auto start = parse_line("service start svc-1 --wait --timeout 600");
  ASSERT_TRUE(start.result);
  EXPECT_EQ(start.result->input, (Json{{"id", "svc-1"}, {"timeout", 600}}));
}

TEST(Parse, GlobalFlagsStandAnywhere) {
  for (const char* line : {"--output json model list", "model --output json list",
                           "model list --output=json", "-o json model list"}) {
    const auto parsed = parse_line(line);
    ASSERT_TRUE(parsed.result) << line;
    EXPECT_EQ(parsed.result->unit, "model.list") << line;
    EXPECT_EQ(parsed.result->globals.output, Output::json) << line;
  }
  EXPECT_THAT(refusal("model list --output jsn"), HasSubstr("did you mean \"json\""));
  EXPECT_THAT(refusal("model list --output"), HasSubstr("--output wants a value"));
  EXPECT_THAT(refusal("--name x model create"), HasSubstr("before the command"));
}

TEST(Parse, ARefusalIsShownInTheOutputAskedForLater) {
  const auto parsed = parse_line("modle list --output json");
  ASSERT_FALSE(parsed.result);
  EXPECT_EQ(parsed.globals.output, Output::json);
}

TEST(Parse, EnvironmentGivesWayToFlags) {
  const std::map<std::string, std::string> environment{{"AIMA_SERVER", "http://there:1/"},
                                                       {"AIMA_API_KEY", "k"}};
  const auto from_environment = parse_words({"status"}, environment);
  EXPECT_EQ(from_environment.result->globals.server, "http://there:1");
  EXPECT_EQ(from_environment.result->globals.api_key, "k");
  const auto typed = parse_words({"status", "--server", "http://here:2"}, environment);
  EXPECT_EQ(typed.result->globals.server, "http://here:2");
}

TEST(Parse, AKeyThatNoHeaderCanCarryIsRefusedAndNotShown) {
  for (const char* key : {"sesame\n", "sesame word", "sesame\r\nX-Evil: 1", "s\xc3\xa9same"}) {
    const auto parsed = parse_words({"status"}, {{"AIMA_API_KEY", key}});
    ASSERT_FALSE(parsed.result) << key;
    EXPECT_THAT(parsed.result.error().message, HasSubstr("AIMA_API_KEY")) << key;
    EXPECT_THAT(parsed.result.error().message, testing::Not(HasSubstr("same"))) << key;
  }
}

TEST(Parse, UnknownWordsAreAnsweredWithTheNearest) {
  EXPECT_THAT(refusal("modle list"), HasSubstr("did you mean \"model\""));
  EXPECT_THAT(refusal("model lst"), HasSubstr("did you mean \"list\""));
  EXPECT_THAT(refusal("model create --nmae x"), HasSubstr("did you mean \"--name\""));
  EXPECT_THAT(refusal("model create --name x --ouptut json"), HasSubstr("\"--output\""));
  EXPECT_THAT(refusal("model"), HasSubstr("create, list, get, delete"));
  EXPECT_THAT(refusal("physician"), HasSubstr("no command \"physician\""));
  EXPECT_THAT(refusal("model get a b"), HasSubstr("\"b\" is one word too many"));
}

TEST(Parse, MissingAndWrongValuesAreNamed) {
  EXPECT_THAT(refusal("model create --source x"), HasSubstr("--name"));
  EXPECT_THAT(refusal("model get"), HasSubstr("wants ID"));
  EXPECT_THAT(refusal("model list --limit ten"), HasSubstr("--limit wants a whole number"));
  EXPECT_THAT(refusal("model create --name a --name b"), HasSubstr("--name"));
  EXPECT_THAT(refusal("catalog create --name r --hardware {"), HasSubstr("--hardware wants JSON"));
  EXPECT_THAT(refusal("service start x --async --wait"), HasSubstr("exclude each other"));
  EXPECT_THAT(refusal("model list --timeout soon"), HasSubstr("--timeout wants"));
}

TEST(Parse, StructuredFlags) {
  const auto skill = parse_line("skill create --name s --keywords a,b --keywords c");
  ASSERT_TRUE(skill.result);
  EXPECT_EQ(skill.result->input["keywords"], (Json{"a", "b", "c"}));
  const auto pipeline =
      parse_words({"pipeline", "create", "--name", "p", "--steps", R"([{"id":"a"}])"});
  ASSERT_TRUE(pipeline.result);
  EXPECT_EQ(pipeline.result->input["steps"][0]["id"], "a");
  const auto message = parse_words({"inference", "chat", "--model", "m", "--", "--output"});
  ASSERT_TRUE(message.result) << message.result.error().message;
  EXPECT_EQ(message.result->input["message"], "--output");
}

TEST(Parse, ExecTakesAnyUnit) {
  const auto exec = parse_words({"exec", "model.list", "--input", R"({"limit":5})"});
  ASSERT_TRUE(exec.result);
  EXPECT_EQ(exec.result->unit, "model.list");
  EXPECT_EQ(exec.result->input, (Json{{"limit", 5}}));
  EXPECT_EQ(parse_line("exec model.list").result->input, Json::object());
  EXPECT_THAT(refusal("exec model"), HasSubstr("domain.verb"));
  EXPECT_THAT(refusal("exec ../health.x"), HasSubstr("domain.verb"));
  EXPECT_THAT(refusal("exec model.list --input 5"), HasSubstr("JSON object"));
}

TEST(Parse, HelpNeedsNothing) {
  for (const char* line : {"--help", "help", "model --help", "help model create",
                           "service start --help", "-h status"}) {
    const auto parsed = parse_line(line);
    ASSERT_TRUE(parsed.result) << line;
    EXPECT_EQ(parsed.result->command, nullptr) << line;
    EXPECT_THAT(parsed.result->help, HasSubstr("Usage: aima")) << line;
  }
}

TEST(Parse, EveryFlagOfEveryCommandIsAccepted) {
  for (const Command& command : commands()) {
    if (command.action == Action::service_start) continue;  // two of its flags exclude each other
    std::vector<std::string> words;
    if (!command.group.empty()) words.push_back(command.group);
    words.push_back(command.verb);
    if (!command.positional.empty()) words.push_back("a.b");
    for (const Flag& flag : command.flags) {
      words.push_back(flag_name(flag.field));
      if (flag.value != Value::boolean) words.push_back(flag.value == Value::json ? "{}" : "7");
    }
    const auto parsed = parse_words(words);
    ASSERT_TRUE(parsed.result) << command.typed() << ": " << parsed.result.error().message;
    if (command.action != Action::exec) {
      EXPECT_EQ(parsed.result->input.size(),
                command.flags.size() + (command.positional.empty() ? 0 : 1))
          << command.typed();
    }
  }
}

TEST(Duration, NumbersAndUnits) {
  EXPECT_EQ(parse_duration("30")->count(), 30000);
  EXPECT_EQ(parse_duration("500ms")->count(), 500);
  EXPECT_EQ(parse_duration("2m")->count(), 120000);
  for (const char* wrong : {"", "-1", "x", "3d", "1.5s", "99999999999999h"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(BodyFile, YamlAndJsonMeanTheSame) {
  const auto yaml = parse_body(
      "name: r\nhardware: {gpu_vendor: NVIDIA, gib: 24}\nconfig:\n  a: [1, 2.5, true, ~]\n"
      "  quoted: \"12\"\n  version: 1.2.3\n", "f");
  const auto json = parse_body(
      R"({"name":"r","hardware":{"gpu_vendor":"NVIDIA","gib":24},)"
      R"("config":{"a":[1,2.5,true,null],"quoted":"12","version":"1.2.3"}})", "f");
  ASSERT_TRUE(yaml);
  ASSERT_TRUE(json);
  EXPECT_EQ(*yaml, *json);
  EXPECT_THAT(parse_body("a: 1\na: 2\n", "f").error().message, HasSubstr("line 2"));
  EXPECT_THAT(parse_body("- 1\n", "f").error().message, HasSubstr("array"));
  EXPECT_THAT(parse_body("a: [1\n", "f").error().message, HasSubstr("--file f: line"));
  EXPECT_THAT(read_body("/nonexistent/x").error().message, HasSubstr("No such file"));
}

TEST(BodyFile, FlagsWinOverTheFile) {
  const std::filesystem::path path =
      std::filesystem::path(::testing::TempDir()) / "aima_cli_body_file_test.yaml";
  std::ofstream(path) << "name: from-file\ncondition: gpu_temp > 80\n";
  const auto parsed =
      parse_words({"alert", "create", "--file", path.string(), "--name", "from-flag"});
  std::filesystem::remove(path);
  ASSERT_TRUE(parsed.result) << parsed.result.error().message;
  EXPECT_EQ(parsed.result->input,
            (Json{{"name", "from-flag"}, {"condition", "gpu_temp > 80"}}));
}

TEST(Suggest, OnlyWhatIsNear) {
  EXPECT_EQ(nearest("crate", {"create", "list"}), "create");
  EXPECT_EQ(nearest("lsit", {"create", "list"}), "list");
  EXPECT_EQ(nearest("zebra", {"create", "list"}), "");
}
}  // namespace
}  // namespace aima::cli

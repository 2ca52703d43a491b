// Target files: what is accepted, and that every mistake is told with its place.
#include "harness/target/profile.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/target/session.h"

namespace harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TargetFile : public ::testing::Test {
 protected:
  TargetFile() {
    path_ = std::filesystem::temp_directory_path() /
            ("target-test-" + std::to_string(::getpid()) + ".yaml");
  }
  ~TargetFile() override { std::filesystem::remove(path_); }

  tl::expected<TargetProfile, std::vector<Diagnostic>> load(
      const std::string& text, const std::map<std::string, std::string>& overrides = {}) {
    std::ofstream(path_) << text;
    return load_target(path_.string(), "/nowhere", overrides);
  }
  std::filesystem::path path_;
};

TEST_F(TargetFile, TheProjectsOwnTargetsRead) {
  for (const std::string name : {"aima", "redis", "misbehaving"}) {
    const auto target = load_target(name, AIMA_SOURCE_DIR, {});
    ASSERT_TRUE(target) << name << ": " << target.error().front().message;
    EXPECT_EQ(target->name, name);
  }
  const auto aima = load_target("aima", AIMA_SOURCE_DIR, {});
  ASSERT_EQ(aima->domains.size(), 7u);
  EXPECT_EQ(aima->domains[2].name, "engines");
  EXPECT_EQ(aima->domains[2].key, "name");
  EXPECT_EQ(aima->domains[0].items.text, ".items[]");
  EXPECT_EQ(aima->container_label, "aima.engine");
}

TEST_F(TargetFile, UnknownKeyIsToldWithItsPlaceAndTheNearest) {
  const auto target = load("command: [x]\nready:\n  by: port\n  timout: 3s\n");
  ASSERT_FALSE(target);
  const Diagnostic& wrong = target.error().front();
  EXPECT_EQ(wrong.where.line, 4);
  EXPECT_EQ(wrong.where.column, 3);
  EXPECT_EQ(wrong.where.file, path_.string());
  EXPECT_THAT(wrong.message, HasSubstr("unknown key `timout` in ready"));
  EXPECT_EQ(wrong.hint, "did you mean `timeout`?");
}

TEST_F(TargetFile, EveryMistakeIsToldAtOnce) {
  const auto target = load("command: [x]\nready: {by: log}\ndomains: {models: {key: id}}\n"
                           "shutdown_timeout: soon\n");
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().size(), 3u);
}

TEST_F(TargetFile, MissingCommandAndMissingFileSaySo) {
  EXPECT_THAT(load("target: x\n").error().front().message, HasSubstr("no `command`"));
  const auto none = load_target("reddis", AIMA_SOURCE_DIR, {});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().front().hint, HasSubstr("aima, misbehaving, redis"));
}

TEST_F(TargetFile, OverridesFollowTheSameRules) {
  const std::string text = "command: [x]\nready: {by: notify}\nvars: {a: one}\n";
  const auto target = load(text, {{"command", "/opt/my daemon/x' y' \"z w\""},
                                  {"vars.a", "two"},
                                  {"ready.timeout", "3s"}});
  ASSERT_TRUE(target) << target.error().front().message;
  EXPECT_THAT(target->command, ElementsAre("/opt/my", "daemon/x y", "z w"));
  EXPECT_EQ(target->vars.at("a"), "two");
  EXPECT_EQ(target->ready.by, "notify");
  EXPECT_EQ(target->ready.timeout, Milliseconds(3000));
  const auto wrong = load(text, {{"comand", "x"}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().front().where.file, "--set target.comand");
  EXPECT_EQ(wrong.error().front().hint, "did you mean `command`?");
}

TEST(Arguments, TextsAreReplacedAndTypesRead) {
  const auto node = parse_yaml("a: x-${id}\nb: [1, \"${id}\"]\nc: 250ms\nd: true\ne: 12\n"
                               "f: {g: \"${id}\", h: 3}\n", "inline");
  ASSERT_TRUE(node);
  const Arguments arguments(*node, {{"id", "seven"}});
  EXPECT_FALSE(arguments.trouble());
  EXPECT_EQ(arguments.text("a").value_or("?"), "x-seven");
  EXPECT_THAT(arguments.texts("b"), ElementsAre("1", "seven"));
  EXPECT_THAT(arguments.texts("a"), ElementsAre("x-seven"));
  EXPECT_EQ(arguments.duration_or("c", Milliseconds(1)).value_or(Milliseconds(0)),
            Milliseconds(250));
  EXPECT_TRUE(arguments.boolean_or("d", false));
  EXPECT_EQ(arguments.integer_or("e", 0), 12);
  EXPECT_EQ(arguments.json("f"), (Json{{"g", "seven"}, {"h", 3}}));
  EXPECT_FALSE(arguments.text("missing"));
  const Arguments unknown(*node, {});
  ASSERT_TRUE(unknown.trouble());
  EXPECT_THAT(unknown.trouble()->message, HasSubstr("id"));
}
}  // namespace
}  // namespace harness

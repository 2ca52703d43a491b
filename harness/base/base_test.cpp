// Errors, clock texts, chance and suggestions.
#include <cstdlib>

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <regex>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/pattern.h"
#include "harness/base/prng.h"
#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/base/suggest.h"

namespace harness {
namespace {

TEST(Error, SaysWhereAndOnWhichWay) {
  Result<int> inner = fail(ErrorKind::timeout, "no answer in 5 s", Span{"a.yaml", 3, 7});
  Result<int> outer = within("starting the daemon", within("waiting for ready", inner.error()).value());
  EXPECT_EQ(to_string(outer.error()),
            "a.yaml:3:7: starting the daemon: waiting for ready: no answer in 5 s");
  EXPECT_EQ(outer.error().kind, ErrorKind::timeout);
}

TEST(Clock, Texts) {
  using namespace std::chrono_literals;
  EXPECT_EQ(human(0us), "0 µs");
  EXPECT_EQ(human(1200us), "1.2 ms");
  EXPECT_EQ(human(250ms), "250 ms");
  EXPECT_EQ(human(3400ms), "3.4 s");
  EXPECT_EQ(human(999'900us), "1.0 s");
  EXPECT_EQ(human(59'960ms), "1 min 00 s");
  EXPECT_EQ(human(125s), "2 min 05 s");
  EXPECT_EQ(human(2h + 5min), "2 h 05 min");
  EXPECT_EQ(human(-5ms), "-5.0 ms");
  EXPECT_TRUE(std::regex_match(utc_now(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
  EXPECT_TRUE(std::regex_match(utc_compact(), std::regex(R"(\d{8}T\d{6}Z)")));
}

TEST(Limit, TighterOfTwo) {
  using namespace std::chrono_literals;
  const Limit limit = Limit::after(1h);
  EXPECT_FALSE(limit.expired());
  EXPECT_LE(limit.within(5ms).left(), 5ms);
  EXPECT_GT(limit.within(2h).left(), 59min);
  EXPECT_LE(limit.within(2h).left(), 1h);
  EXPECT_EQ(Limit::after(-1ms).left(), 0ms);
}

// The first outputs for seed 1234567, as the reference implementation prints them.
TEST(Prng, IsSplitMix64) {
  Prng prng(1234567);
  const std::array<std::uint64_t, 5> expected{6457827717110365317u, 3203168211198807973u,
                                              9817491932198370423u, 4593380528125082431u,
                                              16408922859458223821u};
  for (auto value : expected) EXPECT_EQ(prng.next(), value);
}

TEST(Prng, BelowStaysBelowAndReachesAll) {
  Prng prng(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(prng.below(7));
  for (int count : seen) EXPECT_NEAR(count, 1000, 200);
  EXPECT_EQ(prng.below(1), 0u);
  EXPECT_EQ(prng.below(0), 0u);
}

TEST(Suggest, NearWordsOnly) {
  const std::vector<std::string> known{"steps", "start", "sqlite", "criteria", "finally"};
  EXPECT_EQ(nearest("stpes", known), "steps");
  EXPECT_EQ(nearest("criterias", known), "criteria");
  EXPECT_EQ(nearest("SQLite", known), "sqlite");
  EXPECT_EQ(nearest("finaly", known), "finally");
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("banana", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(5000, 's'), known), std::nullopt);
}
TEST(Pattern, FindsWhatItShould) {
  const auto found = [](const std::string& pattern, const std::string& line) {
    auto compiled = Pattern::compile(pattern);
    return compiled && compiled->found_in(line).value_or(false);
  };
  EXPECT_TRUE(found("panic|assert", "an assertion"));
  EXPECT_TRUE(found("^\\d{3} .*ms$", "200 in 3 ms"));
  EXPECT_TRUE(found("a(?!b)", "ab ac"));
  EXPECT_FALSE(found("^b", "ab"));
  EXPECT_TRUE(found("", "anything"));
  EXPECT_FALSE(found("x", std::string(Pattern::looked_at, 'y') + "x"));
  EXPECT_TRUE(Pattern::compile("ABC", true)->found_in("abc").value());
  EXPECT_FALSE(found(".*error.*timeout", std::string(4000, 'e')));
  EXPECT_FALSE(found("[a-z]*[0-9]", std::string(4096, 'e')));
}

TEST(Pattern, SaysWhatIsWrong) {
  auto wrong = Pattern::compile("ready (");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::invalid);
  EXPECT_NE(wrong.error().message.find("at character"), std::string::npos) << wrong.error().message;
  EXPECT_FALSE(Pattern::compile(std::string(5000, 'a')));
  EXPECT_FALSE(Pattern::compile(std::string(900, '(')));
}

// What this thread had of a processor: on a busy machine little work takes long.
double worked_ms() {
  timespec worked{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
  return static_cast<double>(worked.tv_sec) * 1e3 + static_cast<double>(worked.tv_nsec) / 1e6;
}

// A sanitizer makes the same work several times as long.
const double patience_ms = std::getenv("ASAN_OPTIONS") != nullptr ? 20000 : 5000;

// std::regex does not come back from these, or recurses until the stack ends.
TEST(Pattern, GivesUpInBoundedTime) {
  for (const char* bomb : {"(a+)+$", "(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$",
                           "(?=(a+))*b", "((a{0,1000}){0,1000}){0,1000}b", "(a*)*\\1b", "((((((((((|)*|)*|)*|)*|)*|)*|)*|)*|)*|)*b",
                           "(a?|b?|c?|){900}{900}b"}) {
    auto pattern = Pattern::compile(bomb);
    if (!pattern) continue;
    const double begin = worked_ms();
    auto answer = pattern->found_in(std::string(4000, 'a') + "!");
    EXPECT_LT(worked_ms() - begin, patience_ms) << bomb;
    EXPECT_FALSE(answer.value_or(false)) << bomb;
  }
  auto answer = Pattern::compile("(a+)+$")->found_in(std::string(4000, 'a') + "b");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::invalid);
}

TEST(ReadJson, SameAsTheLibrary) {
  for (const char* text : {"1", "-1.5e3", "\"a\\u00e9\"", "[]", "{}", "null", "[1,[2,{\"a\":[]}],{}]",
                           "{\"a\":1,\"b\":{\"c\":[true,false,null]},\"d\":\"x\"}", " [ 1 ] "}) {
    auto reading = read_json(text);
    ASSERT_TRUE(reading.is_json()) << text;
    EXPECT_EQ(reading.value.dump(), Json::parse(text).dump()) << text;
  }
  for (const char* text : {"", "[", "[1,]", "{\"a\"}", "1 2", "nul", "\"\xff\"", "{\"a\":1"}) {
    EXPECT_EQ(read_json(text).kind, JsonReading::Kind::other) << text;
    EXPECT_TRUE(read_json(text).value.is_null()) << text;
  }
}

TEST(ReadJson, OfTwoEqualKeysTheLastCounts) {
  EXPECT_EQ(read_json(R"({"a":1,"b":2,"a":3})").value.dump(), R"({"a":3,"b":2})");
  std::string many = "{";
  for (int at = 0; at < 100; ++at) many += "\"k" + std::to_string(at % 40) + "\":" + std::to_string(at) + ",";
  many.back() = '}';
  auto reading = read_json(many);
  ASSERT_TRUE(reading.is_json());
  EXPECT_EQ(reading.value.size(), 40u);
  EXPECT_EQ(reading.value["k0"], 80);
  EXPECT_EQ(reading.value["k39"], 79);
}

TEST(ReadJson, IsBounded) {
  auto deep = read_json(std::string(3'000'000, '['));
  EXPECT_EQ(deep.kind, JsonReading::Kind::too_much);
  EXPECT_EQ(deep.why, "nested deeper than 300 levels");
  std::string wide = "[";
  for (int at = 0; at < 300'000; ++at) wide += "0,";
  EXPECT_EQ(read_json(wide + "0]").why, "more than 250000 values");
  // The library's own reading takes the square of the keys: half a minute here.
  std::string keys = "{";
  for (int at = 0; at < 200'000; ++at) keys += "\"" + std::to_string(at) + "\":0,";
  keys.back() = '}';
  const double begin = worked_ms();
  EXPECT_TRUE(read_json(keys).is_json());
  EXPECT_LT(worked_ms() - begin, 5000);
}

TEST(ReadJson, HeldIsOfTheTypeAskedFor) {
  const Json object = {{"n", 5}, {"t", "x"}, {"b", true}, {"big", 5'000'000'000}};
  EXPECT_EQ(held(object, "n", 0), 5);
  EXPECT_EQ(held(object, "t", 7), 7);
  EXPECT_EQ(held(object, "big", 7), 7);
  EXPECT_EQ(held(object, "n", "none"), "none");
  EXPECT_EQ(held(object, "t", "none"), "x");
  EXPECT_TRUE(held(object, "b", false));
  EXPECT_EQ(held(Json::array(), "n", 3), 3);
}

TEST(ReadFile, OnlyRealFilesOfBoundedSize) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("read_file_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "file") << "text";
  fs::create_symlink(folder / "file", folder / "link");
  fs::create_symlink(folder / "loop", folder / "loop");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const auto why = [&](const fs::path& file, Links links = Links::followed) {
    auto text = read_file(file, 4, links);
    return text ? "read: " + *text : text.error().message.substr(text.error().message.rfind(": ") + 2);
  };
  EXPECT_EQ(why(folder / "file"), "read: text");
  EXPECT_EQ(why(folder / "link"), "read: text");
  EXPECT_EQ(why(folder / "link", Links::refused),
            "it is a symbolic link, and what it points to is no part of this run");
  EXPECT_EQ(why(folder / "loop"), "Too many levels of symbolic links");
  EXPECT_EQ(why(folder), "it is a folder, not a file");
  EXPECT_EQ(why(folder / "pipe"), "it is a pipe, not a file");
  EXPECT_EQ(why("/dev/zero"), "it is a device, not a file");
  EXPECT_EQ(why(folder / "none"), "No such file or directory");
  std::ofstream(folder / "file") << "texts";
  EXPECT_EQ(why(folder / "file"), "it has 5 bytes; 4 are the most");
  EXPECT_TRUE(read_file("/proc/self/status", 1 << 20)->starts_with("Name:"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace harness

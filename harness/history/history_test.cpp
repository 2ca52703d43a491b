#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "harness/history/digest.h"
#include "harness/history/event.h"
#include "harness/history/recorder.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Recording : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "history-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    auto made = Recorder::create(folder, redactor);
    ASSERT_TRUE(made.has_value()) << to_string(made.error());
    recorder = std::move(*made);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string text(const std::string& name) const {
    std::ifstream file(folder / name, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
  }

  fs::path folder;
  Redactor redactor;
  std::unique_ptr<Recorder> recorder;
};

TEST_F(Recording, ReadsBackWhatManyThreadsWrote) {
  recorder->record("run.begin", {{"run_id", "r"}});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 200; ++k) recorder->record("fact", {{"name", i}, {"value", k}});
    });
  }
  for (auto& thread : threads) thread.join();
  recorder->record_durably("run.end", {{"duration_us", recorder->now_us()}});
  EXPECT_EQ(recorder->trouble(), "");
  auto history = read_history((folder / "history.jsonl").string());
  ASSERT_TRUE(history.has_value()) << to_string(history.error());
  EXPECT_FALSE(history->cut);
  ASSERT_EQ(history->events.size(), 802u);
  EXPECT_EQ(history->events.front().kind, "run.begin");
  EXPECT_EQ(history->events.back().n, 802);
}

TEST_F(Recording, KeepsSecretsOut) {
  recorder->redactor().add_secret("s3cr\"et");
  recorder->record("fact", {{"text", "uses s3cr\"et here"},
                            {"headers", {{"Authorization", "Bearer abc"}, {"accept", "x"}}},
                            {"env", "API_KEY=hunter2 OTHER=fine"},
                            {"key", "id"},
                            {"completion_tokens", 5}});
  recorder->evidence("request.txt",
                     "GET / HTTP/1.1\r\nCookie: a=b; c=d\r\nHost: x\r\n\r\n"
                     "{\"db_password\":\"p4ss\",\"v\":\"s3cr\\\"et\"}");
  const std::string history = text("history.jsonl");
  const std::string evidence = text("evidence/request.txt");
  for (const char* secret : {"s3cr", "Bearer abc", "hunter2", "a=b", "c=d", "p4ss"}) {
    EXPECT_THAT(history, Not(HasSubstr(secret)));
    EXPECT_THAT(evidence, Not(HasSubstr(secret)));
  }
  EXPECT_THAT(history, HasSubstr("OTHER=fine"));
  EXPECT_THAT(history, HasSubstr("\"key\":\"id\""));
  EXPECT_THAT(history, HasSubstr("\"completion_tokens\":5"));
  EXPECT_THAT(evidence, HasSubstr("Host: x"));
}

TEST_F(Recording, BoundsAndNamesEvidence) {
  EXPECT_EQ(recorder->evidence("../a b.txt", "one"), "evidence/_.._a_b.txt");
  EXPECT_EQ(recorder->evidence("log.txt", "one"), "evidence/log.txt");
  const std::string second = recorder->evidence("log.txt", std::string(5000, 'x') + "END", 100);
  EXPECT_EQ(second, "evidence/log-2.txt");
  EXPECT_THAT(text(second), HasSubstr("4903 bytes cut here; 5003 in all"));
  EXPECT_TRUE(text(second).ends_with("END"));
}

TEST_F(Recording, SurvivesTextThatIsNoUtf8) {
  recorder->record("fact", {{"text", "bad \xff byte"}});
  recorder->record("run.end", Json::object());
  EXPECT_TRUE(read_history((folder / "history.jsonl").string()).has_value());
}

const std::string kWhole = R"({"n":1,"t_us":5,"event":"run.begin"})"
                           "\n"
                           R"({"n":2,"t_us":9,"event":"run.end"})"
                           "\n";

TEST(Reading, ACutHistoryIsReadAsFarAsItGoes) {
  for (std::size_t at = 0; at < kWhole.size(); ++at) {
    auto history = parse_history(kWhole.substr(0, at));
    ASSERT_TRUE(history.has_value()) << at;
    // Only the last line break may be missing.
    EXPECT_EQ(history->cut, at < kWhole.size() - 1) << at;
    EXPECT_EQ(history->cut, !history->cut_reason.empty());
  }
}

TEST_F(Recording, EveryByteOfAHistoryCounts) {
  recorder->record("run.begin", {{"run_id", "r"}, {"hash", "of a caller"}});
  recorder->evidence("log.txt", "one");
  recorder->record("step.begin", {{"step", "1"}, {"source", "- start: {}"}});
  recorder->record("run.end", {{"duration_us", 7}});
  const std::string whole = text("history.jsonl");
  const auto intact = parse_history(whole);
  ASSERT_TRUE(intact.has_value()) << to_string(intact.error());
  EXPECT_EQ(intact->events.back().fields["hash"], Json(intact->head));
  EXPECT_EQ(intact->events[1].kind, "file");
  EXPECT_EQ(intact->events[1].fields["sha256"],
            "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
    std::string edited = whole;
    edited[at] = static_cast<char>(edited[at] ^ 1);
    EXPECT_FALSE(parse_history(edited).has_value()) << at << "\n" << edited;
  }
}

TEST_F(Recording, AfterATornLineNothingFollows) {
  // Writes fail as they do on a full disk: a file cannot grow beyond this size.
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  recorder->record("run.begin", Json::object());
  const rlimit small{200, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  recorder->record("fact", {{"text", std::string(200, 'x')}});
  ::setrlimit(RLIMIT_FSIZE, &old);
  recorder->record("fact", {{"text", "after"}});
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(recorder->trouble(), HasSubstr("history.jsonl"));
  auto history = parse_history(text("history.jsonl"));
  ASSERT_TRUE(history.has_value()) << to_string(history.error());
  EXPECT_TRUE(history->cut);
  EXPECT_EQ(history->events.size(), 1u);
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(digest_of_file("/nowhere/file").has_value());
}

TEST(Reading, ALineWrittenWholeIsNeverTorn) {
  EXPECT_FALSE(parse_history(kWhole + "{\"n\":3,\n").has_value());
  EXPECT_TRUE(parse_history(kWhole + "{\"n\":3,")->cut);
}

TEST(Reading, WhatWasEditedIsRefused) {
  const auto message = [](const std::string& text) {
    auto history = parse_history(text);
    return history ? std::string("read") : history.error().message;
  };
  EXPECT_THAT(message(R"({"n":2,"t_us":5,"event":"x"})"
                      "\n"),
              HasSubstr("event 2 follows event 0"));
  EXPECT_THAT(message("nonsense\n" + kWhole), HasSubstr("line 1: not an event"));
  EXPECT_THAT(message(R"({"n":1,"t_us":9,"event":"x"})"
                      "\n"
                      R"({"n":2,"t_us":8,"event":"y"})"
                      "\n"),
              HasSubstr("time runs backwards"));
}

}  // namespace
}  // namespace harness

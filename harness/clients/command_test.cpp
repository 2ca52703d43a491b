#include "harness/clients/command.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>

#include <thread>

namespace harness {
namespace {

Command shell(const std::string& text) {
  return {{"/bin/sh", "-c", text}, {{"PATH", "/usr/bin:/bin"}}, "/", 1 << 20};
}
Limit seconds(int count) { return Limit::after(std::chrono::seconds(count)); }

TEST(CommandTest, KeepsBothStreamsAndTheStatus) {
  auto result = run_command(shell("echo out; echo err >&2; exit 3"), seconds(10));
  ASSERT_TRUE(result.has_value()) << to_string(result.error());
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_EQ(result->exit, 3);
}

TEST(CommandTest, ADeathBySignalIsNoExitStatus) {
  auto result = run_command(shell("kill -SEGV $$"), seconds(10));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->signal, 11);
  EXPECT_EQ(result->exit, 139);
}

TEST(CommandTest, EndsTheWholeGroupAtTheLimit) {
  auto before = Clock::now();
  auto result = run_command(shell("sleep 60 & sleep 60"), Limit::after(Milliseconds(100)));
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->timed_out);
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(30));
}

// Not only sent a signal: a member that is still ending would be counted as left behind.
TEST(CommandTest, NoneOfAKilledGroupIsThereAfterwards) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // as the harness is: its orphans come to it
  for (int round = 0; round < 20; ++round) {
    auto result = run_command(shell("echo $$; sleep 300 & sleep 300 & wait"),
                              Limit::after(Milliseconds(30), {}));
    ASSERT_TRUE(result.has_value());
    ASSERT_TRUE(result->timed_out);
    if (result->out.empty()) continue;  // a slow machine: it had not come so far
    EXPECT_NE(::kill(-std::stoi(result->out), 0), 0) << round;
  }
}

TEST(CommandTest, AGrandchildHoldingThePipeDoesNotHoldUs) {
  auto before = Clock::now();
  auto result = run_command(shell("sleep 60 & echo $!"), seconds(60));
  ASSERT_TRUE(result.has_value());
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(30));
  EXPECT_EQ(result->exit, 0);
  ASSERT_GT(std::atoi(result->out.c_str()), 0) << result->out;
  ::kill(std::atoi(result->out.c_str()), SIGKILL);
}

TEST(CommandTest, BoundsWhatItKeeps) {
  auto command = shell("head -c 20000000 /dev/zero");
  auto result = run_command(command, seconds(20));
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->cut);
  EXPECT_EQ(result->out.size(), command.most_bytes);
  EXPECT_EQ(result->exit, 0);
}

TEST(CommandTest, AStopEndsTheWait) {
  std::stop_source source;
  std::jthread later([&] { source.request_stop(); });
  auto result = run_command(shell("sleep 60"), Limit::after(std::chrono::seconds(30), source.get_token()));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::stopped);
}

TEST(CommandTest, NamesWhatIsNotThere) {
  auto result = run_command({{"no-such-program"}, {{"PATH", "/bin"}}, "", 1}, seconds(1));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::environment);
  EXPECT_NE(result.error().message.find("no-such-program"), std::string::npos);
}

TEST(WordsTest, SplitAndQuoteAreInverse) {
  auto words = split_words(R"(model create --name "a b" 'c"d' e\ f '')");
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(*words, (std::vector<std::string>{"model", "create", "--name", "a b", "c\"d", "e f", ""}));
  EXPECT_EQ(split_words(quote_words(*words)).value(), *words);
  EXPECT_FALSE(split_words("say 'no").has_value());
}

}  // namespace
}  // namespace harness

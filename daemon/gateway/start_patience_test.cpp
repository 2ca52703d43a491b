// The manager hears of a start that takes its time, for as long as it gets on.
#include "daemon/gateway/start_patience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "daemon/gateway/start_test_bench.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::HasSubstr;

class Messages {
 public:
  StartPatience::Send sender() {
    return [this](const std::string& message) {
      const std::lock_guard lock(mutex_);
      all_.push_back(message);
      more_.notify_all();
    };
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return all_.size();
  }
  bool wait_for(std::size_t wanted, std::chrono::milliseconds patience = 20s) {
    std::unique_lock lock(mutex_);
    return more_.wait_for(lock, patience, [&] { return all_.size() >= wanted; });
  }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return all_.empty() ? "" : all_.back();
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::string> all_;
};

TEST(StartPatience, AsksForMoreTimeAgainAndAgainAndNoMoreAfterwards) {
  Messages messages;
  {
    StartPatience patience({1ms, 5ms, 30s, 60s}, messages.sender());
    patience.at("upgrading");
    ASSERT_TRUE(messages.wait_for(3));
    EXPECT_EQ(messages.last(), "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=upgrading");
  }
  const auto said = messages.count();
  EXPECT_FALSE(messages.wait_for(said + 1, 50ms));
}

TEST(StartPatience, IsOverAtOnce) {
  Messages messages;
  const auto begin = std::chrono::steady_clock::now();
  { const StartPatience patience({60s, 60s, 30s, 60s}, messages.sender()); }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(messages.count(), 0u);
}

TEST(StartPatience, AStartThatHangsIsNotExcusedFurther) {
  Messages messages;
  const StartPatience patience({50ms, 50ms, 30s, 0ms}, messages.sender());
  EXPECT_FALSE(messages.wait_for(1, 300ms)) << "nothing was done";
  const auto end = std::chrono::steady_clock::now() + 20s;
  volatile unsigned work = 0;
  while (messages.count() == 0 && std::chrono::steady_clock::now() < end) work = work + 1;
  EXPECT_GT(messages.count(), 0u) << "it computes";
}

// The container engine takes the connection and says nothing: for 2 s the start waits for it.
class SlowStart : public DaemonProcess {};

TEST_F(SlowStart, TheManagerIsAskedForTimeBeforeItIsReady) {
  const HeldSocket silent;
  options.provider = "docker";
  setenv("DOCKER_HOST", ("tcp://127.0.0.1:" + std::to_string(silent.port())).c_str(), 1);
  const pid_t daemon = spawn(options, folder / "log");
  unsetenv("DOCKER_HOST");
  EXPECT_EQ(notification(), "EXTEND_TIMEOUT_USEC=30000000") << text_of("log");
  EXPECT_THAT(notified, HasSubstr("\nSTATUS=starting: "));
  kill(daemon, SIGKILL);
  waitpid(daemon, nullptr, 0);
}

}  // namespace
}  // namespace aima

#include "daemon/gateway/mailbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace aima {
namespace {

class MailboxTest : public testing::Test {
 protected:
  // From a thread that is not the I/O thread: the test's own is, while `io_` runs there.
  template <typename Work>
  void elsewhere(Work work) {
    std::jthread(std::move(work)).join();
  }

  boost::asio::io_context io_{1};
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(io_);
  std::vector<int> done_;
};

TEST_F(MailboxTest, OneTurnTakesAllInTheirOrder) {
  elsewhere([&] {
    for (int number = 0; number < 100; ++number)
      mailbox_->deliver([this, number] { done_.push_back(number); });
  });
  EXPECT_TRUE(done_.empty()) << "run on the thread that asked";
  EXPECT_EQ(io_.poll(), 1U) << "turns of the I/O thread";
  ASSERT_EQ(done_.size(), 100U);
  EXPECT_TRUE(std::is_sorted(done_.begin(), done_.end()));
  io_.restart();
  elsewhere([&] { mailbox_->deliver([this] { done_.push_back(100); }); });
  EXPECT_EQ(io_.poll(), 1U) << "the next turn";
  EXPECT_EQ(done_.back(), 100);
}

TEST_F(MailboxTest, OnTheThreadItselfItRunsAtOnce) {
  boost::asio::post(io_, [&] {
    mailbox_->deliver([&] { done_.push_back(1); });
    done_.push_back(2);
  });
  io_.poll();
  EXPECT_EQ(done_, (std::vector{1, 2}));
}

TEST_F(MailboxTest, AnActionThatThrowsLosesNoOther) {
  elsewhere([&] {
    mailbox_->deliver([] { throw std::runtime_error("no such luck"); });
    mailbox_->deliver([&] { done_.push_back(1); });
  });
  EXPECT_THROW(io_.poll(), std::runtime_error);
  io_.restart();
  elsewhere([&] { mailbox_->deliver([&] { done_.push_back(2); }); });
  io_.poll();
  EXPECT_EQ(done_, (std::vector{1, 2}));
}

TEST_F(MailboxTest, NobodyTakesWhatWaitsAtTheClose) {
  const auto held = std::make_shared<int>(7);
  elsewhere([&] { mailbox_->deliver([held, this] { done_.push_back(*held); }); });
  EXPECT_EQ(held.use_count(), 2);
  mailbox_->close();
  EXPECT_EQ(held.use_count(), 1) << "kept for ever: it may keep the mailbox itself";
  io_.poll();
  EXPECT_TRUE(done_.empty());
  io_.restart();
  elsewhere([&] { mailbox_->deliver([this] { done_.push_back(8); }); });
  io_.poll();
  EXPECT_EQ(done_, (std::vector{8})) << "what comes after the close is posted";
}

TEST_F(MailboxTest, ManyThreadsAtOnce) {
  constexpr int threads = 4;
  constexpr int each = 1000;
  {
    std::vector<std::jthread> all;
    for (int thread = 0; thread < threads; ++thread) {
      all.emplace_back([&, thread] {
        for (int number = 0; number < each; ++number)
          mailbox_->deliver([this, value = thread * each + number] { done_.push_back(value); });
      });
    }
    const auto keep = boost::asio::make_work_guard(io_);
    while (done_.size() < std::size_t{threads} * each) io_.run_one();
  }
  std::vector<int> next(threads, 0);
  for (const int one : done_) EXPECT_EQ(one % each, next[static_cast<std::size_t>(one / each)]++);
}

}  // namespace
}  // namespace aima

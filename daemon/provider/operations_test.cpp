// Threads of operations, at the end of the daemon.
#include "daemon/provider/operations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace aima::provider {
namespace {

// The watch of the engine may hand in work while the daemon closes.
TEST(Operations, AreClosedBesideNewWork) {
  for (int round = 0; round < 300; ++round) {
    Operations operations;
    std::latch under_way(1);
    std::atomic<bool> over{false};
    std::thread other([&] {
      for (int count = 0; !over; ++count) {
        operations.run([] { std::this_thread::yield(); });
        if (count == 20) under_way.count_down();
      }
    });
    under_way.wait();
    operations.shut_down();
    over = true;
    other.join();
    EXPECT_FALSE(operations.run([] {}));
  }
}

}  // namespace
}  // namespace aima::provider

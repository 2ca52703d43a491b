// Threads of operations, at the end of the daemon.
#include "daemon/provider/operations.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <system_error>

namespace aima::provider {
namespace {

// The watch of the engine may hand in work while the daemon closes.
TEST(Operations, AreClosedBesideNewWork) {
  for (int round = 0; round < 100; ++round) {
    Operations operations;
    std::latch under_way(1);
    std::atomic<bool> over{false};
    std::thread other([&] {
      // Bounded: on a busy machine thousands more would be begun before shut_down() comes to its turn.
      for (int count = 0; count < 100 && !over; ++count) {
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

std::size_t address_space() {
  std::ifstream pages("/proc/self/statm");
  std::size_t count = 0;
  pages >> count;
  return count * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// What no thread was there for leaves no trace: not in the count, and nothing to be waited for.
TEST(Operations, WithoutAThreadTheWorkIsRefused) {
  if (address_space() >> 40 > 0) GTEST_SKIP() << "a sanitizer has terabytes of shadow memory";
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &usual), 0);
  Operations operations;
  std::latch over(1);
  rlimit little = usual;
  little.rlim_cur = address_space() + (128 << 20);  // a stack is 8 MB
  ASSERT_EQ(setrlimit(RLIMIT_AS, &little), 0);
  int begun = 0;
  bool threw = false;
  try {
    while (begun < 200 && operations.run([&] { over.wait(); })) ++begun;
  } catch (const std::system_error&) {
    threw = true;
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &usual), 0);
  EXPECT_FALSE(threw);
  EXPECT_LT(begun, 200);
  EXPECT_TRUE(operations.run([] {}));
  over.count_down();
  operations.shut_down();
}

}  // namespace
}  // namespace aima::provider

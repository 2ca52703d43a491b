// Errors, clock texts, chance and suggestions.
#include <gtest/gtest.h>

#include <array>
#include <regex>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/prng.h"
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
}  // namespace
}  // namespace harness

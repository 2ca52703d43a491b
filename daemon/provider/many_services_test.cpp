// More services than a page of the store has: none of them is forgotten.
#include <gmock/gmock.h>

#include "daemon/provider/test_bench.h"

namespace aima::provider {
namespace {

class ManyServices : public ::testing::Test {
 protected:
  static constexpr int count = 10'020;
  static std::string id_of(int i) { return "svc-" + std::to_string(20'000'000 + i); }

  // The last 15 of them were running, as processes that are not there any more.
  ManyServices() : bench("") {
    bench.restart();
    write([this](Transaction& transaction) -> Result<void> {
      for (int i = 0; i < count; ++i) {
        const bool was_running = i >= count - 15;
        Json row = rows_service(id_of(i), was_running ? "running" : "stopped", "native");
        if (was_running) row["instance_id"] = "4194304";
        if (i == count - 1) row["port"] = bench.ports.first;
        if (auto done = transaction.insert(Domain::service, row); !done) return done;
      }
      return {};
    });
  }
  // Without a store the bench stops none of them, one by one.
  ~ManyServices() override {
    bench.runtime.reset();
    bench.store->close();
    bench.store.reset();
  }
  void write(std::function<Result<void>(Transaction&)> job) {
    const auto done = bench.store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
      if (auto well = job(transaction); !well) return tl::unexpected(well.error());
      return Json(nullptr);
    });
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }

  Bench bench;
};

TEST_F(ManyServices, AreAllReconciledAndKeepTheirPorts) {
  const auto tally = bench.runtime->reconcile();
  ASSERT_TRUE(tally.has_value()) << tally.error().message;
  for (int i = count - 15; i < count; ++i) EXPECT_NE(bench.row(id_of(i))["status"], "running") << i;
  // A further one gets another port than the last one's.
  const std::string id = bench.add_service();
  const auto started = bench.call("start", {{"id", id}});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_NE((*started)["port"], bench.ports.first);
  EXPECT_TRUE(bench.call("delete", {{"id", id}}).has_value());
}

}  // namespace
}  // namespace aima::provider

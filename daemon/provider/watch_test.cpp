// What somebody else does to an engine shows in the row at once, on each provider. The looks from
// time to time are off: only what is told counts.
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdio>

#include "daemon/provider/instance_file.h"
#include "daemon/provider/test_bench.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;

class WatchTest : public EachProvider {
 protected:
  void SetUp() override {
    EachProvider::SetUp();
    if (IsSkipped()) return;
    bench->times.look_every = 1h;
    begin();
    id = bench->add_service();
    ASSERT_TRUE(bench->call("start", {{"id", id}}).has_value());
  }
  void begin() {
    bench->restart();
    ASSERT_TRUE(bench->runtime->reconcile().has_value());
  }
  // What anybody may do with the engine's own command line.
  void by_hand(const std::string& method, const std::string& verb, const std::string& service) {
    DockerApi api(*http::Endpoint::parse(host));
    const std::string container = bench->instances(service).at(0).id;
    const auto done = api.call(method, "/containers/" + container + verb, {20s});
    ASSERT_TRUE(done.has_value()) << done.error().message;
    ASSERT_LT(done->status, 300) << done->body;
  }
  void by_hand(const std::string& method, const std::string& verb) { by_hand(method, verb, id); }
  void kill_engine(const std::string& service) {
    if (!bench->is_native()) return by_hand("POST", "/kill", service);
    const auto record = InstanceFolder(bench->folder / "data/instances").read(service);
    kill(record->process.pid, SIGKILL);
  }
  bool row_comes_to(const std::string& status, const std::string& reason) {
    const auto begun = Clock::now();
    const bool did = comes_true([&] {
      const Json row = bench->row(id);
      const std::string why = row["reason"].is_string() ? row["reason"].get<std::string>() : "";
      return row["status"] == status && why.find(reason) != std::string::npos &&
             (reason.empty() == why.empty());
    });
    const std::chrono::duration<double, std::milli> took = Clock::now() - begun;
    std::printf("row %s (%s) after %.1f ms\n", status.c_str(), reason.c_str(), took.count());
    return did;
  }
  std::string id;
};

TEST_P(WatchTest, AKilledEngine) {
  kill_engine(id);
  EXPECT_TRUE(row_comes_to("failed", "signal 9")) << bench->row(id).dump();
}

// Two of them: the first one's death may be seen by the look that every daemon begins with; by the
// second one's that look is over.
TEST_P(WatchTest, KilledEnginesOfAnEarlierDaemon) {
  const std::string other = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", other}}).has_value());
  begin();
  for (const std::string& each : {id, other}) {
    EXPECT_EQ(bench->row(each)["adopted"], true);
    kill_engine(each);
    EXPECT_TRUE(comes_true([&] { return bench->row(each)["status"] != "running"; })) << each;
  }
}

TEST_P(WatchTest, APausedOneARestartedOneAndARemovedOne) {
  if (bench->is_native()) GTEST_SKIP() << "nobody pauses processes";
  const auto tell = [&] { return bench->row(id).dump(); };
  by_hand("POST", "/pause");
  EXPECT_TRUE(row_comes_to("running", "paused")) << tell();
  EXPECT_EQ((*bench->call("status", {{"id", id}}))["instance"]["state"], "paused");
  by_hand("POST", "/unpause");
  EXPECT_TRUE(row_comes_to("running", "")) << tell();
  EXPECT_EQ(bench->row(id)["adopted"], false);
  by_hand("POST", "/stop?t=5");
  EXPECT_TRUE(comes_true([&] { return bench->row(id)["status"] != "running"; })) << tell();
  by_hand("POST", "/start");
  EXPECT_TRUE(row_comes_to("running", "")) << tell();
  by_hand("POST", "/restart?t=5");
  EXPECT_TRUE(row_comes_to("running", "")) << tell();
  by_hand("DELETE", "?force=1");
  EXPECT_TRUE(comes_true([&] { return bench->row(id)["status"] != "running"; })) << tell();
  EXPECT_TRUE(bench->row(id)["reason"].is_string());
}

// A process that is stopped by a signal is told by nobody; whoever asks hears it.
TEST_P(WatchTest, AStoppedProcessReadsPausedAndCanBeEnded) {
  if (!bench->is_native()) GTEST_SKIP() << "of processes only";
  kill(InstanceFolder(bench->folder / "data/instances").read(id)->process.pid, SIGSTOP);
  EXPECT_TRUE(comes_true(
      [&] { return (*bench->call("status", {{"id", id}}))["instance"]["state"] == "paused"; }));
  const auto begun = Clock::now();
  EXPECT_TRUE(bench->call("stop", {{"id", id}}).has_value());
  EXPECT_LT(Clock::now() - begun, 8s) << "it was to be killed only after 10 s";
}

INSTANTIATE_TEST_SUITE_P(Providers, WatchTest, ::testing::Values("native", "docker", "podman"),
                         [](const auto& each) { return std::string(each.param); });
}  // namespace
}  // namespace aima::provider

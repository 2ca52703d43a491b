// The rules without engines: judgement, ports, names, and providers that are not there.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>

#include "daemon/provider/operations.h"
#include "daemon/provider/test_bench.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string judged(const char* status, const std::optional<Instance>& instance) {
  Json row = rows_service("svc-00000001", status, "docker");
  apply(judge(row, instance), instance, row);
  return row["status"];
}

TEST(Judge, SaysWhatTheInstanceSays) {
  Instance alive{"c1", "svc-00000001", 8000, InstanceState::running, {}, ""};
  Instance crashed{"c1", "svc-00000001", 8000, InstanceState::ended, 137, "ended by signal 9"};
  Instance finished{"c1", "svc-00000001", 8000, InstanceState::ended, 0, "exited with status 0"};
  Instance created{"c1", "svc-00000001", 8000, InstanceState::created, {}, "never ran"};
  for (const char* status : {"running", "stopping", "stopped", "failed"}) {
    EXPECT_EQ(judged(status, alive), "running") << status;
  }
  EXPECT_EQ(judged("starting", alive), "starting");
  EXPECT_EQ(judged("creating", std::nullopt), "creating");
  EXPECT_EQ(judged("running", std::nullopt), "stopped");
  EXPECT_EQ(judged("running", crashed), "failed");
  EXPECT_EQ(judged("running", finished), "stopped");
  EXPECT_EQ(judged("stopping", crashed), "stopped");
  EXPECT_EQ(judged("starting", std::nullopt), "failed");
  EXPECT_EQ(judged("starting", created), "failed");
  EXPECT_EQ(judged("failed", crashed), "failed");
  EXPECT_EQ(judged("stopped", std::nullopt), "stopped");
}

TEST(Judge, TheInstanceKnowsItsPort) {
  Json row = rows_service("svc-00000001", "running", "docker");
  row["port"] = 8000;
  const std::optional<Instance> alive =
      Instance{"c1", "svc-00000001", 8123, InstanceState::running, {}, ""};
  EXPECT_TRUE(apply(judge(row, alive), alive, row));
  EXPECT_EQ(row["port"], 8123);
  EXPECT_EQ(row["endpoint"], "http://127.0.0.1:8123");
  EXPECT_FALSE(apply(judge(row, alive), alive, row)) << "nothing new is no change";
}

// Starts press in from all sides; a stop gets its turn all the same, each time.
TEST(Operations, AStopIsNeverTurnedAwayByStarts) {
  Operations operations;
  std::atomic<bool> over{false};
  std::vector<std::jthread> starts;
  for (int i = 0; i < 3; ++i) {
    starts.emplace_back([&] {
      while (!over) {
        if (auto hold = operations.hold("svc-1", "start")) {
          while (!hold->cancelled().stop_requested() && !over) std::this_thread::yield();
        }
      }
    });
  }
  for (int turn = 0; turn < 40; ++turn) {
    if (!comes_true([&] { return operations.is_held("svc-1"); })) break;
    const auto hold = operations.hold_after_cancelling("svc-1", "stop", 10s);
    EXPECT_TRUE(hold.has_value()) << "turn " << turn << ": " << hold.error().message;
    if (!hold) break;
  }
  over = true;
}

TEST(PortAllocator, NeverGivesOnePortTwice) {
  const ForeignListener foreign(reserve_ports(4));
  PortAllocator ports(foreign.port(), foreign.port() + 3);
  auto first = ports.take({foreign.port() + 1}, 0, 0);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->port(), foreign.port() + 2);
  auto second = ports.take({}, 0, foreign.port() + 2);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->port(), foreign.port() + 1) << "leased, though liked";
  EXPECT_EQ(ports.take({}, foreign.port(), 0).error().http_status, 409);
  {
    auto third = ports.take({}, 0, 0);
    ASSERT_TRUE(third.has_value());
    EXPECT_EQ(ports.take({}, 0, 0).error().code, "no_free_port");
  }
  EXPECT_TRUE(ports.take({}, 0, 0).has_value()) << "a lease that ended is free";
}

TEST(Instance, ArgumentsNameModelAndPort) {
  EngineSpec engine;
  engine.type = "vllm";
  engine.port_arg = "--port";
  Launch launch{"svc-00000001", "model-00000001", "", "org/model", &engine, 8123};
  EXPECT_EQ(arguments_of(launch, {"serve", "{model}", "-x={model}"}),
            (std::vector<std::string>{"serve", "org/model", "-x=org/model", "--port", "8123"}));
  launch.model_path = "/models/m.gguf";
  EXPECT_EQ(arguments_of(launch, {"{model}"})[0], "/models/m.gguf");
  engine.type = "ollama";
  EXPECT_EQ(environment_of(launch), std::vector<std::string>{"OLLAMA_HOST=127.0.0.1:8123"});
}

class Away : public ::testing::Test {
 protected:
  Away() { bench.put(Domain::service, running()); }
  static Json running() {
    Json row = rows_service("svc-0000000a", "running", "docker");
    row["port"] = 18000;
    return row;
  }
  void make(const std::string& host) {
    engines = std::make_unique<EngineSet>(*EngineSet::load());
    RuntimeOptions options;
    options.docker_host = host;
    options.data_dir = bench.folder / "data";
    auto made = ServiceRuntime::make(std::move(options), *bench.store, *engines);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    bench.runtime = std::move(*made);
  }
  void expect_unverified() {
    EXPECT_EQ(bench.runtime->provider_name(), "native") << "auto, for new services";
    EXPECT_EQ((*bench.runtime->reconcile())["unverified"], 1);
    const Json row = bench.row("svc-0000000a");
    EXPECT_EQ(row["status"], "running");
    EXPECT_EQ(row["unverified"], true);
    EXPECT_EQ(row["provider"], "docker");
    const auto stopped = bench.call("stop", {{"id", "svc-0000000a"}});
    ASSERT_FALSE(stopped.has_value());
    EXPECT_GE(stopped.error().http_status, 503);
    EXPECT_FALSE(bench.call("start", {{"id", "svc-0000000a"}}).has_value());
    EXPECT_EQ(bench.row("svc-0000000a")["status"], "running");
    EXPECT_EQ((*bench.call("status", {{"id", "svc-0000000a"}}))["unverified"], true);
  }
  ~Away() override {
    // The bench stops what is left: this row has nothing, anywhere.
    bench.runtime.reset();
    bench.store->write_and_wait([](Transaction& transaction) -> Result<Json> {
      transaction.erase(Domain::service, "svc-0000000a");
      return Json::object();
    });
  }
  Bench bench{""};
  std::unique_ptr<EngineSet> engines;
};

TEST_F(Away, AnEngineThatIsGoneLeavesItsServicesUnverified) {
  make("unix:///nowhere/docker.sock");
  expect_unverified();
}

TEST_F(Away, AnEngineThatIsSilentHoldsTheStartTwoSecondsAtMost) {
  const std::string path = (bench.folder / "silent.sock").string();
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 16), 0);  // connects, and never an answer
  const auto begun = Clock::now();
  make("unix://" + path);
  EXPECT_EQ((*bench.runtime->reconcile())["unverified"], 1);
  EXPECT_LT(Clock::now() - begun, 4500ms) << "any other question to it may take 5 s or more";
  EXPECT_EQ(bench.row("svc-0000000a")["status"], "running");
  close(listener);
}

TEST_F(Away, DockerThatMustBeThereAndIsNotIsAnError) {
  engines = std::make_unique<EngineSet>(*EngineSet::load());
  RuntimeOptions options;
  options.provider = ProviderChoice::docker;
  options.docker_host = "unix:///nowhere/docker.sock";
  options.data_dir = bench.folder / "data";
  const auto made = ServiceRuntime::make(std::move(options), *bench.store, *engines);
  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error().message, HasSubstr("/nowhere/docker.sock"));
}
}  // namespace
}  // namespace aima::provider

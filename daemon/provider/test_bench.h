// A runtime with a real store, a model and the fixture engine, in a folder of its own.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "daemon/domain/engine.h"
#include "daemon/provider/docker.h"
#include "daemon/provider/native.h"
#include "daemon/provider/runtime_impl.h"
#include "daemon/store/store.h"

namespace aima::provider {

inline const std::string binary_folder = std::string(AIMA_BINARY_DIR) + "/bin/";
inline const std::string docker_socket = "unix:///var/run/docker.sock";

inline Json rows_service(const std::string& id, const std::string& status,
                         const std::string& provider) {
  return {{"id", id},
          {"name", id},
          {"model_id", "model-00000001"},
          {"engine_type", "vllm"},
          {"status", status},
          {"port", nullptr},
          {"requested_port", nullptr},
          {"endpoint", nullptr},
          {"replicas", 1},
          {"provider", provider},
          {"instance_id", nullptr},
          {"adopted", false},
          {"unverified", false},
          {"reason", nullptr},
          {"created_at", "2026-01-01T00:00:00.000Z"},
          {"updated_at", "2026-01-01T00:00:00.000Z"}};
}

// The first of so many free ports in a row, below those that the kernel hands out and nobody else's
// until this process ends: the same claims as ci/ports.py makes, which says why.
int reserve_ports(int count);

class Bench {
 public:
  // `host`: DOCKER_HOST for the container providers; empty: native.
  explicit Bench(std::string host) : host_(std::move(host)) {
    char name[] = "/tmp/aima-provider-test.XXXXXX";
    folder = mkdtemp(name);
    auto opened = Store::open({folder / "data", {}});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    store = std::move(*opened);
    put(Domain::model, {{"id", "model-00000001"},
                        {"name", "m"},
                        {"status", "ready"},
                        {"source", ""},
                        {"repo", ""},
                        {"type", "llm"},
                        {"format", "gguf"},
                        {"path", ""},
                        {"size", 0},
                        {"tags", Json::array()},
                        {"created_at", "2026-01-01T00:00:00.000Z"},
                        {"updated_at", "2026-01-01T00:00:00.000Z"}});
    set_engine("");
  }
  ~Bench() {
    runtime.reset();
    if (store) {
      // Whatever a failed expectation left running.
      if (auto rows = store->list(Domain::service, {})) {
        restart();
        for (const Json& row : rows->items) call("stop", {{"id", row["id"]}});
        runtime.reset();
      }
      store->close();
    }
    for (const std::string& image : images_) {
      DockerApi(*http::Endpoint::parse(host_)).call("DELETE", "/images/" + image + "?force=1", {});
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  bool is_native() const { return host_.empty(); }

  // The engine as `flags` say: "--start-delay-ms 500". For containers an image with them built in.
  void set_engine(const std::string& flags) {
    if (is_native()) {
      setenv("AIMA_ENGINE_VLLM_COMMAND", (binary_folder + "aima-fixture-engine " + flags).c_str(),
             1);
      return;
    }
    const std::string image =
        "aima-provider-test:" + std::to_string(getpid()) + "-" + std::to_string(images_.size());
    std::string command =
        binary_folder + "aima-fixture-image --image " + image + " --host " + host_;
    std::istringstream words(flags);
    for (std::string flag, value; words >> flag >> value;) {
      std::string variable = "FIXTURE_";
      for (const char letter : flag.substr(2)) {
        variable += letter == '-' ? '_' : static_cast<char>(std::toupper(letter));
      }
      command += " --env " + variable + "=" + value;
    }
    ASSERT_EQ(std::system((command + " > /dev/null").c_str()), 0) << command;
    images_.push_back(image);
    setenv("AIMA_ENGINE_VLLM_IMAGE", image.c_str(), 1);
  }

  // Ends the runtime as a daemon's end would, and makes the next one.
  void restart(Labels labels = {}) {
    runtime.reset();
    engines = std::make_unique<EngineSet>(*EngineSet::load());
    RuntimeOptions options;
    options.provider = is_native() ? ProviderChoice::native : ProviderChoice::docker;
    if (!is_native()) options.docker_host = host_;
    options.data_dir = folder / "data";
    options.engine_ports = ports;
    options.labels = std::move(labels);
    options.times = times;
    auto made = ServiceRuntime::make(std::move(options), *store, *engines);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    runtime = std::move(*made);
  }

  void put(Domain domain, Json object) {
    const auto done = store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
      auto inserted = transaction.insert(domain, object);
      if (!inserted) return tl::unexpected(inserted.error());
      return object;
    });
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }
  std::string add_service(int requested_port = 0) {
    const std::string id =
        "svc-" + std::to_string(10000000 + getpid() % 1000000 * 10 + ++services_);
    Json row = rows_service(id, "creating", runtime->provider_name());
    if (requested_port != 0) row["requested_port"] = row["port"] = requested_port;
    put(Domain::service, row);
    return id;
  }

  std::future<Result<Json>> begin(const std::string& verb, Json input) {
    auto promise = std::make_shared<std::promise<Result<Json>>>();
    Call call;
    call.input = std::move(input);
    Done done = [promise](Result<Json> result) { promise->set_value(std::move(result)); };
    if (verb == "start") runtime->start(std::move(call), std::move(done));
    if (verb == "stop") runtime->stop(std::move(call), std::move(done));
    if (verb == "status") runtime->status(std::move(call), std::move(done));
    if (verb == "logs") runtime->logs(std::move(call), std::move(done));
    if (verb == "delete") runtime->remove(std::move(call), std::move(done));
    return promise->get_future();
  }
  Result<Json> call(const std::string& verb, Json input) {
    return begin(verb, std::move(input)).get();
  }
  Json row(const std::string& id) { return **store->get(Domain::service, id); }

  // What carries the service's label, asked past the runtime under test.
  std::vector<Instance> instances(const std::string& id) {
    std::unique_ptr<Provider> own =
        is_native() ? make_native_provider(folder / "data", {})
                    : make_docker_provider(*http::Endpoint::parse(host_), host_, {});
    return *own->find(id, {});
  }
  int live(const std::string& id) {
    int count = 0;
    for (const Instance& instance : instances(id)) count += instance.is_live() ? 1 : 0;
    return count;
  }

  std::filesystem::path folder;
  // Tests run beside each other: each process has ports of its own.
  static std::pair<int, int> own_ports() {
    static const int first = reserve_ports(20);
    return {first, first + 19};
  }
  std::pair<int, int> ports = own_ports();
  EngineTimes times;
  std::unique_ptr<Store> store;
  std::unique_ptr<EngineSet> engines;
  std::unique_ptr<ServiceRuntime> runtime;

 private:
  std::string host_;
  std::vector<std::string> images_;
  int services_ = 0;
};

// Polls, with an end, what tells nobody when it changes.
template <typename Condition>
bool comes_true(Condition condition, std::chrono::seconds limit = std::chrono::seconds(10)) {
  const auto end = Clock::now() + limit;
  while (Clock::now() < end) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return condition();
}

// The same tests on each provider: native, docker, podman (AIMA_TEST_PODMAN names its socket).
class EachProvider : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string which = GetParam();
    if (which == "docker") host = docker_socket;
    if (which == "podman") {
      const char* named = std::getenv("AIMA_TEST_PODMAN");
      if (named == nullptr) GTEST_SKIP() << "AIMA_TEST_PODMAN names no socket";
      host = named;
    }
    if (!host.empty()) {
      const auto answered = DockerApi(*http::Endpoint::parse(host)).ping({std::chrono::seconds(2)});
      if (!answered) GTEST_SKIP() << answered.error().message;
    }
    bench = std::make_unique<Bench>(host);
    bench->restart();
  }
  // A provider of our own, past the runtime under test.
  std::unique_ptr<Provider> other_hand() const {
    return bench->is_native() ? make_native_provider(bench->folder / "data", {})
                              : make_docker_provider(*http::Endpoint::parse(host), host, {});
  }
  // Ends the service's engine past the runtime under test.
  void end_engine(const std::string& id, std::chrono::seconds grace) {
    for (const Instance& instance : bench->instances(id)) {
      ASSERT_TRUE(other_hand()->remove(instance, grace, {}).has_value());
    }
  }
  std::string host;  // empty: native
  std::unique_ptr<Bench> bench;
};

// Listens on a port of 127.0.0.1, as a process that is none of ours would.
class ForeignListener {
 public:
  explicit ForeignListener(int port);
  ~ForeignListener();
  int port() const { return port_; }

 private:
  int fd_;
  int port_ = 0;
};
}  // namespace aima::provider

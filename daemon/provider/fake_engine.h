// A container engine that does what tests want: a small Docker API on a unix socket, in this
// process, which can misbehave at any one of its operations.
#pragma once
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "daemon/provider/test_bench.h"

namespace aima::provider {

// How an operation is answered.
enum class Manner {
  proper,
  silent,       // never
  half_head,    // in the middle of the head it stops
  half_body,    // in the middle of the body it stops
  cut,          // closed in the middle of the body
  closed,       // closed without a word; what was asked for is done
  garbage,      // no HTTP
  wrong_shape,  // HTTP and JSON, of another shape than the API's
  endless       // a body that never ends
};

class FakeEngine {
 public:
  explicit FakeEngine(std::filesystem::path socket);
  ~FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  std::string host() const { return "unix://" + socket_.string(); }
  // Operations: ping, list, create, start, inspect, stop, remove, logs, events.
  void misbehave(const std::string& operation, Manner manner);
  void behave();  // everything proper again; what hangs is closed
  // Nobody listens any more; the file stays, or goes too. Every connection is closed.
  void vanish(bool with_file);
  void come_back();

  // A container ends by itself, as if somebody killed it; with an event, or without anybody's word.
  void die(const std::string& service_id, int exit_status, bool with_event = true);
  // Raw text into every stream of events.
  void say(const std::string& text);
  void end_event_streams();

  int containers() const;
  int running() const;
  int event_streams() const;
  int connections() const { return connections_; }
  int asked(const std::string& operation) const;

 private:
  struct Container {
    std::string id;
    Json labels;
    std::string state = "created";
    int exit_status = 0;
    int listener = -1;  // its "engine": answers 200 to anything
    std::thread server;
  };
  struct Answer {
    int status;
    std::string body;
    bool is_stream = false;
  };

  void listen_on_socket();
  void accept_all(int listener);
  void serve(int fd);
  bool answer(int fd, const std::string& operation, const Answer& what);
  Answer run(const std::string& operation, const std::string& target, const std::string& body);
  Answer run_on(const std::string& operation, const std::string& id);
  void emit(const Container& container, const std::string& action);  // under the mutex
  void begin(Container& container);
  void end(Container& container, int exit_status);
  void close_connections();

  std::filesystem::path socket_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Manner> manners_;
  std::map<std::string, int> asked_;
  std::map<std::string, Container> containers_;  // by id
  std::set<int> open_;
  std::set<int> streams_;
  std::list<std::thread> threads_;
  std::atomic<int> connections_{0};
  int listener_ = -1;
  std::thread acceptor_;
  int next_id_ = 0;
};

// The runtime on the fake engine. Rows and folder are those of a native bench.
class OnAFakeEngine {
 public:
  OnAFakeEngine() : fake(bench.folder / "engine.sock") {
    using std::chrono::milliseconds;
    for (auto* time : {&times.ping, &times.ask, &times.create, &times.start, &times.remove,
                       &times.look_ping}) {
      *time = milliseconds(400);
    }
    times.grace = std::chrono::seconds(1);
    times.look = milliseconds(800);
    times.heartbeat = milliseconds(100);
    times.reconnect_first = milliseconds(10);
    times.reconnect_most = milliseconds(50);
    times.look_every = milliseconds(50);
    setenv("AIMA_ENGINE_VLLM_IMAGE", "fake:1", 1);
  }
  ~OnAFakeEngine() {
    fake.behave();
    runtime().reset();
    bench.store->write_and_wait([this](Transaction& transaction) -> Result<Json> {
      for (const std::string& id : services) transaction.erase(Domain::service, id);
      return Json::object();
    });
  }
  std::unique_ptr<ServiceRuntime>& runtime() { return bench.runtime; }

  void make() {
    runtime().reset();
    engines = std::make_unique<EngineSet>(*EngineSet::load());
    RuntimeOptions options;
    options.provider = ProviderChoice::docker;
    options.docker_host = fake.host();
    options.data_dir = bench.folder / "data";
    options.engine_ports = bench.ports;
    options.times = times;
    auto made = ServiceRuntime::make(std::move(options), *bench.store, *engines);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    runtime() = std::move(*made);
  }
  void make_and_reconcile() {
    make();
    ASSERT_TRUE(runtime()->reconcile().has_value());
  }
  std::string add_service() {
    services.push_back(bench.add_service());
    return services.back();
  }
  std::string running_service() {
    const std::string id = add_service();
    const auto started = bench.call("start", {{"id", id}});
    EXPECT_TRUE(started.has_value()) << started.error().message;
    return id;
  }
  Json row(const std::string& id) { return bench.row(id); }
  bool is_unverified(const std::string& id) { return row(id)["unverified"] == true; }

  Bench bench{""};
  EngineTimes times;
  FakeEngine fake;
  std::unique_ptr<EngineSet> engines;
  std::vector<std::string> services;
};
}  // namespace aima::provider

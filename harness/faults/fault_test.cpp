// Every fault strikes something real, proves it, and is undone.
#include "harness/faults/fault.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "harness/target/containment.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

Limit soon() { return Limit::after(Milliseconds(20000)); }

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Database {
  explicit Database(const std::string& file) {
    sqlite3_open(file.c_str(), &connection);
    run("PRAGMA journal_mode=WAL");
  }
  ~Database() { sqlite3_close(connection); }
  int run(const char* sql) { return sqlite3_exec(connection, sql, nullptr, nullptr, nullptr); }
  sqlite3* connection = nullptr;
};

class Faults : public ::testing::Test {
 protected:
  Faults() {
    session_.run_id = std::string("fault-test-") + std::to_string(::getpid()) + "-" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name();
    auto workspace = Workspace::create(session_.run_id);
    EXPECT_TRUE(workspace) << (workspace ? "" : workspace.error().message);
    workspace_ = std::move(*workspace);
    session_.workspace = workspace_.get();
    session_.limit = soon();
    database_ = (workspace_->root() / "test.db").string();
    session_.target.sqlite = {database_};
    session_.target.instance_files = (workspace_->root() / "instances").string();
  }
  ~Faults() override {
    EXPECT_TRUE(end_all(session_.run_id, "", soon()));
    if (!session_.engine) return;
    const auto listed = session_.engine->list({"aima.run=" + session_.run_id}, soon());
    for (const auto& container : listed.value_or(Json::array()))
      EXPECT_TRUE(session_.engine->act("remove", container.value("id", ""), soon()));
    const std::string forget = "curl -sf -o /dev/null -X DELETE --unix-socket " +
                               session_.engine->host().substr(7) + " http://localhost/v1.41/images/" +
                               image_;
    EXPECT_EQ(std::system(forget.c_str()), 0);
  }

  std::unique_ptr<Child> misbehaving(const std::string& how) {
    SpawnOptions options;
    options.argv = {AIMA_BINARY_DIR "/bin/misbehaving-daemon", how};
    options.environment = {{"AIMA_RUN", session_.run_id}};
    auto child = Child::spawn(options);
    EXPECT_TRUE(child) << (child ? "" : child.error().message);
    EXPECT_TRUE((*child)->wait_line("^ready$", 0, 1, soon()));
    return std::move(*child);
  }

  Result<std::unique_ptr<PreparedFault>> prepare(const std::string& name,
                                                 const std::string& arguments = "{}") {
    const auto node = parse_yaml(arguments, "inline");
    EXPECT_TRUE(node);
    return find_fault(name)->prepare(session_, Arguments(*node, {}));
  }
  std::unique_ptr<PreparedFault> ready(const std::string& name,
                                       const std::string& arguments = "{}") {
    auto fault = prepare(name, arguments);
    EXPECT_TRUE(fault) << (fault ? "" : fault.error().message);
    return std::move(*fault);
  }
  static Json struck(PreparedFault& fault) {
    auto evidence = fault.strike(soon());
    EXPECT_TRUE(evidence) << (evidence ? "" : evidence.error().message);
    return evidence.value_or(Json());
  }
  static void healed(PreparedFault& fault) {
    for (int twice = 0; twice < 2; ++twice) {
      const auto detail = fault.heal(soon());
      EXPECT_TRUE(detail) << (detail ? "" : detail.error().message);
    }
  }
  void make_database() {
    Database database(database_);
    database.run("CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)");
    database.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) "
                 "INSERT INTO t SELECT i, 'row number ' || i FROM n");
  }

  Session session_;
  std::unique_ptr<Workspace> workspace_;
  std::string database_;
  const std::string image_ = "aima-fault-test:latest";
};

TEST_F(Faults, EveryOneHasShapeUndoNameAndExample) {
  for (const Fault& fault : faults()) {
    const StepShape shape = fault.shape();
    EXPECT_EQ(find_fault(shape.name), &fault);
    EXPECT_THAT(shape.example, HasSubstr(shape.name));
    EXPECT_EQ(shape.category, "fault");
  }
  EXPECT_EQ(find_fault("pausse"), nullptr);
  EXPECT_FALSE(heal_recorded({{"fault", "unknown"}}, soon()));
}

TEST_F(Faults, PauseFreezesAndItsRecordAloneHeals) {
  session_.daemon = misbehaving("behaves");
  auto fault = ready("pause");
  EXPECT_EQ(struck(*fault)["state"], "T");
  EXPECT_EQ(session_.daemon->state(), 'T');
  EXPECT_TRUE(heal_recorded(fault->undo(), soon()));
  EXPECT_NE(session_.daemon->state(), 'T');
  healed(*fault);
  session_.daemon.reset();
  const auto down = ready("pause")->strike(soon());
  ASSERT_FALSE(down);
  EXPECT_THAT(down.error().message, HasSubstr("needs a running daemon"));
}

TEST_F(Faults, PauseOfAReplacedProcessTouchesNobody) {
  session_.daemon = misbehaving("behaves");
  struck(*ready("pause"));  // stopping takes a moment: the fault waits for it
  const Json undo{{"fault", "pause"},
                  {"pid", session_.daemon->pid()},
                  {"start_ticks", session_.daemon->start_ticks() - 1}};
  EXPECT_TRUE(heal_recorded(undo, soon()));
  EXPECT_EQ(session_.daemon->state(), 'T');
}

TEST_F(Faults, KillIsProvenByTheKernel) {
  session_.daemon = misbehaving("ignores-term");
  auto fault = ready("kill");
  EXPECT_EQ(struck(*fault)["outcome"], "SIGKILL");
  EXPECT_FALSE(session_.daemon->running());
  EXPECT_FALSE(fault->strike(soon())) << "nothing is there to be killed twice";
  const auto wrong = prepare("kill", "{signal: KIL}");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("did you mean `KILL`?"));
}

TEST_F(Faults, PortTakenHoldsThePortUntilHealed) {
  auto fault = ready("port-taken");
  EXPECT_EQ(struck(*fault)["port"], workspace_->port());
  EXPECT_FALSE(port_is_free(workspace_->port()));
  auto second = ready("port-taken");
  EXPECT_FALSE(second->strike(soon())) << "a fault that did not strike must say so";
  healed(*fault);
  EXPECT_TRUE(port_is_free(workspace_->port()));
}

TEST_F(Faults, WalReaderKeepsTheWalFromBeingEmptied) {
  make_database();
  session_.daemon = misbehaving("behaves");
  Database writer(database_);
  const auto truncate = [&] {
    return sqlite3_wal_checkpoint_v2(writer.connection, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                     nullptr);
  };
  writer.run("INSERT INTO t(text) VALUES('before')");
  EXPECT_EQ(truncate(), SQLITE_OK);
  auto fault = ready("wal-reader");
  const Json evidence = struck(*fault);
  EXPECT_FALSE(evidence["locks"].empty());
  EXPECT_EQ(writer.run("INSERT INTO t(text) VALUES('after')"), SQLITE_OK);
  EXPECT_EQ(truncate(), SQLITE_BUSY);
  healed(*fault);
  EXPECT_EQ(truncate(), SQLITE_OK);
}

TEST_F(Faults, DatabaseLockIsExclusiveWithTheDaemonDown) {
  make_database();
  const std::string before = read_file(database_);
  auto fault = ready("database-lock");
  EXPECT_EQ(struck(*fault)["lock"], "exclusive");
  sqlite3* reader = nullptr;
  sqlite3_open(database_.c_str(), &reader);
  EXPECT_EQ(sqlite3_exec(reader, "SELECT * FROM t", nullptr, nullptr, nullptr), SQLITE_BUSY);
  healed(*fault);
  EXPECT_EQ(read_file(database_), before);
  EXPECT_EQ(sqlite3_exec(reader, "SELECT * FROM t", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(reader);
}

TEST_F(Faults, DatabaseLockKeepsWritersOutWithTheDaemonUp) {
  make_database();
  Database daemon(database_);
  ASSERT_EQ(daemon.run("INSERT INTO t(text) VALUES('before')"), SQLITE_OK);
  auto fault = ready("database-lock");
  EXPECT_EQ(struck(*fault)["lock"], "write");
  EXPECT_EQ(daemon.run("SELECT * FROM t"), SQLITE_OK);
  EXPECT_EQ(daemon.run("INSERT INTO t(text) VALUES('during')"), SQLITE_BUSY);
  healed(*fault);
  EXPECT_EQ(daemon.run("INSERT INTO t(text) VALUES('after')"), SQLITE_OK);
}

TEST_F(Faults, CorruptPageIsSeenAndTakenBack) {
  make_database();
  const std::string before = read_file(database_);
  auto fault = ready("corrupt-page");
  const Json evidence = struck(*fault);
  EXPECT_EQ(evidence["check"]["ok"], false);
  EXPECT_NE(read_file(database_), before);
  EXPECT_TRUE(heal_recorded(fault->undo(), soon()));
  EXPECT_EQ(read_file(database_), before);
  healed(*fault);
  session_.daemon = misbehaving("behaves");
  EXPECT_FALSE(ready("corrupt-page")->strike(soon())) << "never under a running daemon";
}

TEST_F(Faults, NativeEngineIsKilledPausedAndRemoved) {
  std::filesystem::create_directories(session_.target.instance_files);
  for (const std::string action : {"pause", "stop", "kill", "remove"}) {
    auto engine = misbehaving("behaves");
    const std::string file = session_.target.instance_files + "/svc-1.json";
    std::ofstream(file) << Json{
        {"pid", engine->pid()},
        {"start_ticks", engine->start_ticks()},
        {"labels", {{"aima.run", session_.run_id}, {"aima.service", "svc-1"}}}};
    auto fault = ready("container", "{label: aima.service=svc-1, action: " + action + "}");
    struck(*fault);
    EXPECT_EQ(engine->state() == 'T', action == "pause");
    if (action == "pause") healed(*fault);
    else EXPECT_TRUE(engine->wait(soon())) << action;
    EXPECT_NE(engine->state(), 'T');
    EXPECT_EQ(std::filesystem::exists(file), action != "remove");
  }
  EXPECT_FALSE(prepare("container", "{label: aima.service=svc-2}"));
}

// With a container engine only; ci/test forces one.
TEST_F(Faults, ContainerIsPausedKilledAndRemoved) {
  const char* given = std::getenv("DOCKER_HOST");
  const std::string host = given != nullptr ? given : "unix:///var/run/docker.sock";
  auto engine = EngineClient::connect(host, soon());
  if (!engine) GTEST_SKIP() << engine.error().message;
  session_.engine = *engine;
  const std::string build = AIMA_BINARY_DIR "/bin/aima-fixture-image --image " + image_ +
                            " >/dev/null --binary " AIMA_BINARY_DIR "/bin/aima-fixture-engine";
  ASSERT_EQ(std::system(build.c_str()), 0);
  EXPECT_TRUE(engine->has_image(image_, soon()).value_or(false));
  EXPECT_FALSE(engine->has_image("aima-no-such-image:latest", soon()).value_or(true));
  const Json body{{"Image", image_},
                  {"Labels", {{"aima.run", session_.run_id}, {"aima.service", "svc-1"}}},
                  {"HostConfig",
                   {{"Ulimits",
                     {{{"Name", "nofile"}, {"Soft", 1024}, {"Hard", 1024}},
                      {{"Name", "nproc"}, {"Soft", 512}, {"Hard", 512}}}}}}};
  const std::string request = (workspace_->root() / "create.json").string();
  std::ofstream(request) << body;
  const std::string create = "curl -sf -o /dev/null --unix-socket " + host.substr(7) +
                             " -H 'Content-Type: application/json' -d @" + request +
                             " 'http://localhost/v1.41/containers/create'";
  ASSERT_EQ(std::system(create.c_str()), 0);
  const auto listed = engine->list({"aima.run=" + session_.run_id}, soon());
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1u);
  const std::string id = (*listed)[0]["id"];
  EXPECT_TRUE(engine->act("start", id, soon()));
  const auto state = [&] {
    const auto now = engine->list({"aima.service=svc-1", "aima.run=" + session_.run_id}, soon());
    return now && !now->empty() ? (*now)[0].value("state", "?") : std::string("absent");
  };
  auto pause = ready("container", "{label: aima.service=svc-1, action: pause}");
  struck(*pause);
  EXPECT_EQ(state(), "paused");
  healed(*pause);
  EXPECT_EQ(state(), "running");
  struck(*ready("container", "{label: aima.service=svc-1, action: kill}"));
  EXPECT_EQ(state(), "exited");
  EXPECT_TRUE(engine->logs(id, 10, soon()));
  struck(*ready("container", "{label: aima.service=svc-1, action: remove}"));
  EXPECT_EQ(state(), "absent");
}
}  // namespace
}  // namespace harness

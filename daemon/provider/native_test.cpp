// What only the native provider promises: nothing inherited, nobody else's process touched.
#include "daemon/provider/native.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "daemon/base/descriptor_limit.h"
#include "daemon/provider/instance_file.h"
#include "daemon/provider/process.h"
#include "daemon/provider/spawn.h"
#include "daemon/provider/test_bench.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class NativeTest : public ::testing::Test {
 protected:
  void SetUp() override { bench.restart(); }
  InstanceRecord record(const std::string& id) {
    return InstanceFolder(bench.folder / "data/instances").read(id).value();
  }
  Bench bench{""};
};

TEST_F(NativeTest, AnEngineInheritsNothing) {
  int leaked[2];
  ASSERT_EQ(pipe(leaked), 0);  // without O_CLOEXEC
  setenv("NOTIFY_SOCKET", "/run/nobody", 1);
  setenv("LISTEN_FDS", "1", 1);
  for (const char* name : {"AIMA_API_KEY", "AIMA_API_KEYS", "AIMA_API_KEYS_FILE"}) {
    setenv(name, "open-sesame", 1);
  }
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  usual.rlim_cur = 512;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  raise_descriptor_limit();
  const std::string id = bench.add_service();
  ASSERT_TRUE(bench.call("start", {{"id", id}}).has_value());
  unsetenv("NOTIFY_SOCKET");
  unsetenv("LISTEN_FDS");
  for (const char* name : {"AIMA_API_KEY", "AIMA_API_KEYS", "AIMA_API_KEYS_FILE"}) unsetenv(name);
  const pid_t pid = record(id).process.pid;
  const fs::path process = "/proc/" + std::to_string(pid);
  for (const auto& entry : fs::directory_iterator(process / "fd")) {
    const std::string target = fs::read_symlink(entry).string();
    EXPECT_THAT(target, Not(HasSubstr("pipe:"))) << entry;
    EXPECT_THAT(target, Not(HasSubstr("aima.db"))) << entry;
  }
  EXPECT_EQ(fs::read_symlink(process / "fd/0"), "/dev/null");
  const fs::path log = fs::canonical(bench.folder / ("data/logs/" + id + ".log"));
  EXPECT_EQ(fs::read_symlink(process / "fd/1"), log);
  EXPECT_EQ(fs::read_symlink(process / "fd/2"), log);
  std::ifstream file(process / "environ", std::ios::binary);
  const std::string environment{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(environment, Not(HasSubstr("NOTIFY_SOCKET")));
  EXPECT_THAT(environment, Not(HasSubstr("LISTEN_FDS")));
  EXPECT_THAT(environment, Not(HasSubstr("open-sesame"))) << "a key";
  EXPECT_EQ(read_process(pid)->session, pid);
  EXPECT_EQ(getpgid(pid), pid);
  rlimit descriptors{};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &descriptors), 0);
  EXPECT_EQ(descriptors.rlim_cur, 512u) << "the raised limit";
  close(leaked[0]);
  close(leaked[1]);
}

TEST_F(NativeTest, AnEngineThatDiesLeavesNoZombie) {
  const std::string id = bench.add_service();
  ASSERT_TRUE(bench.call("start", {{"id", id}}).has_value());
  const pid_t pid = record(id).process.pid;
  kill(pid, SIGKILL);
  EXPECT_TRUE(comes_true([&] { return !read_process(pid).has_value(); }));
  const auto status = bench.call("status", {{"id", id}});
  EXPECT_EQ((*status)["status"], "failed");
  EXPECT_THAT((*status)["reason"], HasSubstr("signal 9"));
}

// Who sees first that a child has ended may ask how, before the reaper's thread woke up.
TEST(ChildReaper, KnowsHowAChildEndedAsSoonAsItHasEnded) {
  ChildReaper reaper;
  const fs::path log = fs::temp_directory_path() / fmt::format("aima-reaper.{}", getpid());
  for (int turn = 0; turn < 50; ++turn) {
    const auto child = spawn_detached({{"/bin/sh", "-c", "exit 3"}, {}, log},
                                      [](const ProcessId&) { return Result<void>(); });
    ASSERT_TRUE(child.has_value()) << child.error().message;
    reaper.watch(*child);
    ASSERT_TRUE(comes_true([&] { return !is_alive(*child); }));
    ASSERT_EQ(reaper.exit_status(*child), 3) << "turn " << turn;
    ASSERT_TRUE(comes_true([&] { return !read_process(child->pid).has_value(); }));
  }
  fs::remove(log);
}

TEST_F(NativeTest, AnEngineThatIgnoresTermIsKilled) {
  const fs::path folder = bench.folder / "data";
  bench.set_engine("--ignore-term 1");
  bench.restart();
  const std::string id = bench.add_service();
  ASSERT_TRUE(bench.call("start", {{"id", id}}).has_value());
  const InstanceRecord engine = record(id);
  auto own = make_native_provider(folder, {});
  const auto removed = own->remove(own->find(id, {})->front(), 0s, {});
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_FALSE(is_alive(engine.process));
}

// A number that another process has got since must never be believed, and never be hit.
TEST_F(NativeTest, AReusedProcessIdIsNotBelieved) {
  const pid_t bystander = fork();
  if (bystander == 0) {
    pause();
    _exit(0);
  }
  const std::string id = bench.add_service();
  ASSERT_TRUE(bench.call("start", {{"id", id}}).has_value());
  const InstanceRecord engine = record(id);
  InstanceRecord forged = engine;
  forged.process = {bystander, read_process(bystander)->start_ticks - 1};
  ASSERT_TRUE(InstanceFolder(bench.folder / "data/instances").write(forged).has_value());
  bench.restart();
  EXPECT_EQ((*bench.runtime->reconcile())["stopped"], 1);
  EXPECT_TRUE(bench.call("stop", {{"id", id}}).has_value());
  EXPECT_EQ(waitpid(bystander, nullptr, WNOHANG), 0) << "a process that is not ours was killed";
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
  EXPECT_TRUE(end_session(engine.process, 1s, {}).has_value());
}

TEST_F(NativeTest, AFileOfAnEarlierBootIsNotBelieved) {
  const std::string id = bench.add_service();
  ASSERT_TRUE(bench.call("start", {{"id", id}}).has_value());
  const InstanceRecord engine = record(id);
  InstanceRecord old = engine;
  old.boot_id = "00000000-0000-0000-0000-000000000000";
  ASSERT_TRUE(InstanceFolder(bench.folder / "data/instances").write(old).has_value());
  bench.restart();
  EXPECT_EQ((*bench.runtime->reconcile())["stopped"], 1);
  EXPECT_TRUE(bench.call("stop", {{"id", id}}).has_value());
  EXPECT_TRUE(is_alive(engine.process)) << "after another boot the number is somebody else's";
  EXPECT_TRUE(end_session(engine.process, 1s, {}).has_value());
}

// It has its number and its start time still, and is dead all the same.
TEST_F(NativeTest, AZombieIsNotBelieved) {
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  ASSERT_TRUE(comes_true([&] { return read_process(dead)->state == 'Z'; }));
  InstanceRecord zombie;
  zombie.service_id = bench.add_service();
  zombie.process = {dead, read_process(dead)->start_ticks};
  zombie.boot_id = boot_id();
  EXPECT_FALSE(zombie.is_alive());
  fs::create_directories(bench.folder / "data/instances");
  ASSERT_TRUE(InstanceFolder(bench.folder / "data/instances").write(zombie).has_value());
  const auto found = make_native_provider(bench.folder / "data", {})->find(zombie.service_id, {});
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).state, InstanceState::ended);
  waitpid(dead, nullptr, 0);
}

// The program begins only when its file is written: before that, its daemon's death is its own.
TEST(Spawn, ADaemonKilledInTheMiddleLeavesNoEngine) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("aima-spawn.{}", getpid());
  fs::create_directories(folder);
  for (const bool is_recorded : {false, true}) {
    int report[2];
    ASSERT_EQ(pipe2(report, O_CLOEXEC), 0);
    const pid_t daemon = fork();
    if (daemon == 0) {
      const std::string command = "echo ran > " + (folder / "marker").string();
      const auto spawned = spawn_detached(
          {{"/bin/sh", "-c", command}, {}, folder / "log"}, [&](const ProcessId& child) {
            if (is_recorded) {
              EXPECT_TRUE(InstanceFolder(folder).write({"svc-1", child, boot_id(), 1, {}}));
            }
            [[maybe_unused]] const auto told = write(report[1], &child, sizeof child);
            kill(getpid(), SIGKILL);
            return Result<void>();
          });
      _exit(spawned ? 1 : 2);
    }
    ProcessId engine;
    ASSERT_EQ(read(report[0], &engine, sizeof engine), static_cast<ssize_t>(sizeof engine));
    waitpid(daemon, nullptr, 0);
    EXPECT_TRUE(comes_true([&] { return !is_alive(engine); })) << "recorded: " << is_recorded;
    EXPECT_FALSE(fs::exists(folder / "marker")) << "recorded: " << is_recorded;
    if (is_recorded) {
      const auto record = InstanceFolder(folder).read("svc-1");
      EXPECT_FALSE(record->is_alive()) << "and its file is not believed";
    }
    close(report[0]);
    close(report[1]);
  }
  fs::remove_all(folder);
}

TEST_F(NativeTest, AnInstanceFileThatCannotBeReadIsLeftOut) {
  const std::string id = bench.add_service();
  ASSERT_TRUE(bench.call("start", {{"id", id}}).has_value());
  std::ofstream(bench.folder / "data/instances/svc-ffffffff.json") << "{\"pid\": \"many\"}";
  const auto found = make_native_provider(bench.folder / "data", {})->find("", {});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->size(), 1u);
}

TEST(EndSession, TakesTheWorkersWithTheLeader) {
  int report[2];
  ASSERT_EQ(pipe2(report, O_CLOEXEC), 0);
  const pid_t leader = fork();
  if (leader == 0) {
    setsid();
    const pid_t worker = fork();
    if (worker == 0) {
      signal(SIGTERM, SIG_IGN);
      const pid_t self = getpid();
      [[maybe_unused]] const auto told = write(report[1], &self, sizeof self);
      while (true) pause();
    }
    while (true) pause();
  }
  pid_t worker = 0;
  ASSERT_EQ(read(report[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
  const ProcessId process{leader, read_process(leader)->start_ticks};
  const ProcessId other{worker, read_process(worker)->start_ticks};
  EXPECT_TRUE(end_session(process, 5s, {}).has_value());
  EXPECT_FALSE(is_alive(process));
  EXPECT_TRUE(comes_true([&] { return !is_alive(other); }));
  waitpid(leader, nullptr, 0);
  close(report[0]);
  close(report[1]);
}
}  // namespace
}  // namespace aima::provider

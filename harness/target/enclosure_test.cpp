// The enclosure of a run: what marks and sessions cannot hold, the kernel does.
#include "harness/target/enclosure.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/target/cgroup.h"
#include "harness/target/child.h"
#include "harness/target/containment.h"
#include "harness/target/leftovers.h"
#include "harness/target/pid_namespace.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"
#include "harness/target/workspace.h"

namespace harness {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Limit within_seconds() { return Limit::after(Milliseconds(10000)); }

std::string run_named(const std::string& name) {
  return "enclosure-" + name + "-" + std::to_string(::getpid());
}

Result<std::unique_ptr<Child>> spawn_of(const std::string& run_id, std::vector<std::string> argv) {
  SpawnOptions options;
  options.argv = std::move(argv);
  options.environment = {{"AIMA_RUN", run_id}, {"PATH", "/usr/bin:/bin"}};
  return Child::spawn(options);
}

// Runs a test under one way to contain, where this machine has it.
class Contained : public ::testing::TestWithParam<Contain> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(become_subreaper());
    contain_by(GetParam());
    const std::string run = run_named("probe");
    const auto there = enclose(run);
    (void)open_enclosure(run, within_seconds());
    if (!there) GTEST_SKIP() << there.error().message;
  }
  void TearDown() override { contain_by(Contain::automatic); }
};

// Those of this test: others may run beside it.
int fleeing_processes() {
  const std::string ours = "misbehaving-daemon fleeing --times " + std::to_string(::getpid());
  int count = 0;
  for (const auto& process : all_processes())
    if (process.state != 'Z' && command_line(process.pid) == ours) ++count;
  return count;
}

TEST_P(Contained, WhatForksOnInNewSessionsWithoutEnvironmentIsEnded) {
  const std::string run = run_named("flees");
  auto workspace = Workspace::create(run);
  ASSERT_TRUE(workspace) << workspace.error().message;
  auto daemon = spawn_of(run, {AIMA_BINARY_DIR "/bin/misbehaving-daemon", "flees", "--times",
                              std::to_string(::getpid())});
  ASSERT_TRUE(daemon) << daemon.error().message;
  ASSERT_TRUE((*daemon)->wait_line("^ready$", 0, 1, within_seconds()));
  ASSERT_TRUE(poll_until([] { return fleeing_processes() > 0; }, -1, within_seconds()));
  daemon->reset();
  EXPECT_FALSE(enclosure_is_empty(run));
  ASSERT_TRUE(end_all(run, "", within_seconds()));
  EXPECT_TRUE(enclosure_is_empty(run));
  // Nobody is left who could fork: looking often enough would find it.
  for (int look = 0; look < 20; ++look) EXPECT_EQ(fleeing_processes(), 0);
}

// cgroup.kill does not reach it.
TEST_P(Contained, OneWhoseMainThreadHasEndedIsEnded) {
  const std::string run = run_named("thread");
  begin_run(run);
  ASSERT_TRUE(enclose(run));
  {
    auto daemon = spawn_of(run, {AIMA_BINARY_DIR "/bin/misbehaving-daemon", "leaves-thread"});
    ASSERT_TRUE(daemon) << daemon.error().message;
    ASSERT_TRUE((*daemon)->wait_line("^ready$", 0, 1, within_seconds()));
  }
  const auto found = find_processes(run);
  ASSERT_EQ(found.size(), 1u);
  const auto ended = end_all(run, "", within_seconds());
  EXPECT_TRUE(ended) << ended.error().message;
  EXPECT_TRUE(enclosure_is_empty(run));
  EXPECT_FALSE(read_process(found[0].pid));
  if (!ended) ::kill(found[0].pid, SIGKILL);
  end_run(run);
}

TEST_P(Contained, TheWholeCrowdGoesAtOnceAndNobodyElse) {
  const std::string run = run_named("crowd"), other = run_named("bystander");
  auto workspace = Workspace::create(run);
  auto beside = Workspace::create(other);
  ASSERT_TRUE(workspace && beside);
  auto bystander = spawn_of(other, {"sleep", "1000"});
  auto daemon = spawn_of(run, {AIMA_BINARY_DIR "/bin/misbehaving-daemon", "multiplies", "--times", "50"});
  ASSERT_TRUE(daemon && bystander);
  ASSERT_TRUE((*daemon)->wait_line("^ready$", 0, 1, within_seconds()));
  EXPECT_GE(enclosed_processes(run).size(), 51u);
  EXPECT_EQ(enclosed_processes(other).size(), 1u);
  daemon->reset();
  ASSERT_TRUE(end_all(run, "", within_seconds()));
  EXPECT_TRUE(enclosure_is_empty(run));
  EXPECT_TRUE((*bystander)->running());
}

TEST_P(Contained, ExitStatusAndWorkingFolderAreThoseOfTheChild) {
  const std::string run = run_named("exit");
  auto workspace = Workspace::create(run);
  ASSERT_TRUE(workspace);
  SpawnOptions options;
  options.argv = {"sh", "-c", "pwd; exit 42"};
  options.environment = {{"AIMA_RUN", run}, {"PATH", "/usr/bin:/bin"}};
  options.folder = (*workspace)->root().string();
  auto child = Child::spawn(options);
  ASSERT_TRUE(child);
  const auto outcome = (*child)->wait(within_seconds());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(to_string(*outcome), "exit 42");
  EXPECT_THAT((*child)->output(), StartsWith((*workspace)->root().string()));
  options.argv = {"/no/such/program"};
  EXPECT_THAT(Child::spawn(options).error().message, HasSubstr("No such file"));
}

// The number that it has outside would be another process in there.
TEST_P(Contained, APassedListenerNamesTheChildAsItSeesItself) {
  const std::string run = run_named("listener");
  auto workspace = Workspace::create(run);
  ASSERT_TRUE(workspace);
  const auto listener = listen_on((*workspace)->port());
  ASSERT_TRUE(listener) << listener.error().message;
  SpawnOptions options;
  options.argv = {"sh", "-c", "test $LISTEN_PID = $$ && readlink /proc/$$/fd/3"};
  options.environment = {{"AIMA_RUN", run}, {"PATH", "/usr/bin:/bin"}};
  options.listener = listener->get();
  auto child = Child::spawn(options);
  ASSERT_TRUE(child) << child.error().message;
  const auto outcome = (*child)->wait(within_seconds());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(to_string(*outcome), "exit 0");
  EXPECT_THAT((*child)->output(), StartsWith("socket:["));
}

TEST_P(Contained, NativeEngineIsFoundByTheNumberThatTheDaemonSaw) {
  const std::string run = run_named("engine");
  auto workspace = Workspace::create(run);
  ASSERT_TRUE(workspace);
  const auto folder = (*workspace)->root() / "instances";
  std::filesystem::create_directories(folder);
  // $$ and the start ticks as the process itself sees them.
  auto engine = spawn_of(run, {"sh", "-c",
                               "set -- $(cat /proc/$$/stat); echo \"{\\\"pid\\\": $$, \\\"start_ticks\\\": ${22}, "
                               "\\\"labels\\\": {\\\"aima.run\\\": \\\"" + run + "\\\"}}\" > " +
                                   (folder / "svc.json").string() + "; echo written; exec sleep 1000"});
  ASSERT_TRUE(engine);
  ASSERT_TRUE((*engine)->wait_line("^written$", 0, 1, within_seconds()));
  const auto engines = native_engines(run, folder.string());
  ASSERT_EQ(engines.size(), 1u) << read_text((folder / "svc.json").string());
  EXPECT_EQ(engines[0].process.pid, (*engine)->pid());
}

INSTANTIATE_TEST_SUITE_P(Ways, Contained, ::testing::Values(Contain::cgroup, Contain::pid_namespace),
                         [](const auto& way) {
                           return way.param == Contain::cgroup ? "cgroup" : "pid_namespace";
                         });

TEST(Enclosure, OfADeadHarnessIsFoundByItsNameAndCleaned) {
  const std::string run = run_named("dead");
  if (!RunGroup::make(run_named("probe"))) GTEST_SKIP() << "no cgroup v2";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t harness = ::fork();
  if (harness == 0) {
    auto group = RunGroup::make(run);
    if (::fork() == 0) {  // one that has left everything but the group
      (void)!::write((*group)->procs(), "0", 1);
      ::setsid();
      (void)!::write(ready[1], "x", 1);
      while (true) ::pause();
    }
    while (true) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto of_run = [&] {
    auto dead = find_dead_runs();
    std::erase_if(dead, [&](const DeadRun& each) { return each.run_id != run; });
    return dead;
  };
  EXPECT_TRUE(of_run().empty()) << "its harness lives";
  ::kill(harness, SIGKILL);
  ::waitpid(harness, nullptr, 0);
  const auto dead = of_run();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_THAT(dead[0].why, HasSubstr("is gone"));
  EXPECT_FALSE(RunGroup(dead[0].group).is_empty());
  const Json report = clean_dead_run(dead[0], nullptr, within_seconds());
  EXPECT_FALSE(std::filesystem::exists(dead[0].group)) << report.dump();
  EXPECT_TRUE(of_run().empty());
}

TEST(Enclosure, HalfMadeSandboxOfADeadHarnessIsFoundAtOnce) {
  const std::string run = run_named("half");
  const auto of_run = [&] {
    auto dead = find_dead_runs();
    std::erase_if(dead, [&](const DeadRun& each) { return each.run_id != run; });
    return dead;
  };
  const auto folder = temporary_folder() / owned_name(half_sandbox, run);
  std::filesystem::create_directory(folder);
  EXPECT_TRUE(of_run().empty()) << "we are alive, and making it";
  std::filesystem::remove(folder);
  const pid_t harness = ::fork();
  if (harness == 0) {
    std::filesystem::create_directory(temporary_folder() / owned_name(half_sandbox, run));
    ::raise(SIGKILL);
  }
  ::waitpid(harness, nullptr, 0);
  const auto dead = of_run();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_THAT(dead[0].why, HasSubstr("died while it was made"));
  clean_dead_run(dead[0], nullptr, within_seconds());
  EXPECT_FALSE(std::filesystem::exists(dead[0].folder));
}

TEST(Owner, NamesAreReadBackWholeAndStrangersAreNot) {
  const auto mine = read_owned_name("aima-run-", owned_name("aima-run-", "a.b"));
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->run_id, "a.b");
  EXPECT_EQ(life_of(mine->owner), Life::alive);
  EXPECT_FALSE(read_owned_name("aima-run-", "aima-run-0123456789ab"));
  EXPECT_FALSE(read_owned_name("aima-run-", "aima-run-x.1.2.y"));
  EXPECT_EQ(life_of({1, 1, own_pid_namespace() + 1}), Life::unknown);
  EXPECT_EQ(life_of({::getpid(), 1, own_pid_namespace()}), Life::dead) << "another process by then";
}
}  // namespace
}  // namespace harness

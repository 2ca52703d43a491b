// Who belongs to a run, and that none of its processes stays.
#include "harness/target/containment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "harness/target/child.h"
#include "harness/target/orphaned_calls.h"
#include "harness/target/process_info.h"
#include "harness/target/run_test_support.h"
#include "harness/target/wait.h"
#include "harness/target/workspace.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

TEST(ProcessInfo, StatIsReadAfterTheLastBracket) {
  const auto info = parse_stat("12 (a) b) (c) S 7 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 1 2\n");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->state, 'S');
  EXPECT_EQ(info->parent, 7);
  EXPECT_EQ(info->start_ticks, 4242u);
  EXPECT_FALSE(parse_stat("12 (cut"));
}

TEST(Containment, MarkIsMatchedWhole) {
  const std::string run = fresh_run("mark");
  begin_run(run);
  begin_run("another");  // with two runs nothing is ours by elimination
  auto child = misbehaving_in("behaves", run);
  EXPECT_EQ(find_processes(run).size(), 1u);
  EXPECT_TRUE(find_processes(run.substr(0, run.size() - 1)).empty());
  EXPECT_TRUE(find_processes("another").empty());
  child.reset();
  EXPECT_TRUE(find_processes(run).empty());
  end_run("another");
  end_run(run);
}

TEST(Containment, DoubleForkedChildIsFoundAndEnded) {
  ASSERT_TRUE(become_subreaper());
  const std::string run = fresh_run("fork");
  begin_run(run);
  misbehaving_in("leaves-child", run, "^child [0-9]+ stays$").reset();
  const auto found = find_processes(run);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].why, "marked AIMA_RUN");
  ASSERT_TRUE(end_all(run, "", in_time()));
  EXPECT_TRUE(find_processes(run).empty());
  EXPECT_FALSE(read_process(found[0].pid)) << "reaped, not left as a zombie";
  end_run(run);
}

TEST(Containment, ChildThatWipedItsEnvironmentComesToTheSubreaper) {
  ASSERT_TRUE(become_subreaper());
  const std::string run = fresh_run("hidden");
  begin_run(run);
  misbehaving_in("hides-child", run, "^starting, any minute now$").reset();
  const auto found = find_processes(run);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].why, "re-parented to us");
  EXPECT_TRUE(end_all(run, "", in_time()));
  EXPECT_TRUE(find_processes(run).empty());
  end_run(run);
}

// A parent that forks and ends while the processes are listed: it was listed and is gone, and its child
// came after the list was made. Five generations do so, one after the other.
TEST(Containment, ChildThatIsBornDuringTheLookIsFound) {
  ASSERT_TRUE(become_subreaper());
  const std::string run = fresh_run("born");
  begin_run(run);
  constexpr int looks = 150;
  int missed = 0;
  for (int look = 0; look < looks; ++look) {
    int stay[2];  // the child ends with the other end of it
    ASSERT_EQ(::pipe2(stay, O_CLOEXEC), 0);
    if (::fork() == 0) {
      ::setsid();  // an ended one of our session would be left to us to reap
      ::close(stay[1]);
      ::usleep(static_cast<useconds_t>(look * 10));
      for (int generation = 0; generation < 5; ++generation)
        if (::fork() != 0) ::_exit(0);
      char nothing;
      while (::read(stay[0], &nothing, 1) > 0) {
      }
      ::_exit(0);
    }
    if (find_processes(run).empty()) ++missed;
    ::close(stay[1]);
    ::close(stay[0]);
    const auto nobody_left = [&] { return find_processes(run).empty(); };
    ASSERT_TRUE(poll_until(nobody_left, -1, in_time()));
  }
  EXPECT_EQ(missed, 0) << "of " << looks << " looks";
  end_run(run);
}

// /proc shows it as a zombie without environment, descriptors and folders: those are its threads'.
TEST(Containment, ProcessWhoseMainThreadHasEndedIsFound) {
  ASSERT_TRUE(become_subreaper());
  const std::string run = fresh_run("thread");
  begin_run(run);
  begin_run("another");  // with two runs nothing is ours by elimination
  misbehaving_in("leaves-thread", run).reset();
  const auto found = find_processes(run);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].why, "marked AIMA_RUN");
  EXPECT_THAT(found[0].command, HasSubstr("leaves-thread"));
  EXPECT_FALSE(is_ending(found[0].pid));
  ASSERT_TRUE(end_all(run, "", in_time()));
  EXPECT_TRUE(find_processes(run).empty());
  EXPECT_FALSE(read_process(found[0].pid));
  end_run("another");
  end_run(run);
}

// Killed by the end of its parent, and not gone at the same instant: it is not left behind.
TEST(Containment, ChildThatDiesWithItsParentIsNoLeftover) {
  ASSERT_TRUE(become_subreaper());
  const std::string run = fresh_run("bears");
  begin_run(run);
  constexpr int looks = 50;
  int taken = 0;
  for (int look = 0; look < looks; ++look) {
    const auto child = misbehaving_in("bears-child", run);
    ASSERT_TRUE(child->signal(SIGTERM));
    ASSERT_TRUE(child->wait(in_time()));
    if (!find_processes(run).empty()) ++taken;
  }
  EXPECT_EQ(taken, 0) << "of " << looks << " looks";
  end_run(run);
}

// Between two programs a process has no environment.
TEST(Containment, MarkIsSeenOfAProcessThatExecs) {
  ASSERT_TRUE(become_subreaper());
  const std::string run = fresh_run("execs");
  begin_run(run);
  begin_run("another");
  misbehaving_in("leaves-execs", run).reset();
  constexpr int looks = 150;
  int missed = 0;
  for (int look = 0; look < looks; ++look)
    if (find_processes(run).empty()) ++missed;
  EXPECT_EQ(missed, 0) << "of " << looks << " looks";
  ASSERT_TRUE(end_all(run, "", in_time()));
  EXPECT_TRUE(find_processes(run).empty());
  end_run("another");
  end_run(run);
}

TEST(Containment, AnotherProcessWithTheSamePidIsLeftAlone) {
  auto child = misbehaving_in("behaves", "ticks");
  FoundProcess other{child->pid(), child->start_ticks() - 1, "an earlier one", "", ""};
  EXPECT_TRUE(end_process(other, in_time()));
  EXPECT_TRUE(child->running());
  EXPECT_NE(child->state(), 'Z');
}

TEST(Containment, InstanceFileIsBelievedOnlyIfTrueAndOfTheRun) {
  const std::string run = fresh_run("engine");
  auto workspace = Workspace::create(run);
  ASSERT_TRUE(workspace);
  auto stranger = misbehaving_in("behaves", "elsewhere");
  const auto folder = (*workspace)->root() / "instances";
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, std::uint64_t ticks, const std::string& label) {
    std::ofstream(folder / name) << Json{{"pid", stranger->pid()},
                                         {"start_ticks", ticks},
                                         {"boot_id", boot_id()},
                                         {"labels", {{"aima.run", label}}}};
  };
  write("old.json", stranger->start_ticks() - 1, run);
  write("foreign.json", stranger->start_ticks(), "production");
  EXPECT_TRUE(native_engines(run, folder).empty());
  write("svc-1.json", stranger->start_ticks(), run);
  const auto engines = native_engines(run, folder);
  ASSERT_EQ(engines.size(), 1u);
  EXPECT_EQ(engines[0].process.engine, "svc-1");
}

TEST(OrphanedCalls, AreThoseWhoseClientIsGoneAndWhoseServerIsNot) {
  auto workspace = Workspace::create(fresh_run("calls"));
  ASSERT_TRUE(workspace);
  const std::string path = (*workspace)->root() / "engine.sock";
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), where, sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), where, sizeof address), 0);
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(orphaned_calls(path)) << "sock_diag is not to be had";
  EXPECT_EQ(orphaned_calls(path), 0);
  client.reset();
  EXPECT_EQ(orphaned_calls(path), 1);
  EXPECT_EQ(orphaned_calls(path + ".other"), 0);
  const auto begin = Clock::now();
  std::thread answers([&] {
    EXPECT_EQ(orphaned_calls(path), 1);
    server.reset();
  });
  await_orphaned_calls(path, in_time());
  answers.join();
  EXPECT_EQ(orphaned_calls(path), 0);
  EXPECT_LT(Clock::now() - begin, Milliseconds(1900));
}
}  // namespace
}  // namespace harness

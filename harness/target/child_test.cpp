// Real children: shell one-liners and fixtures/misbehaving.
#include "harness/target/child.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "harness/target/containment.h"
#include "harness/target/output_log.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"
#include "harness/target/ready.h"

namespace harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Limit soon() { return Limit::after(Milliseconds(10000)); }

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.argv = {"sh", "-c", script};
  options.environment = {{"PATH", "/usr/bin:/bin"}};
  return options;
}

SpawnOptions misbehaving(const std::string& how, const std::string& times = "0") {
  SpawnOptions options;
  options.argv = {AIMA_BINARY_DIR "/bin/misbehaving-daemon", how, "--times", times};
  return options;
}

std::unique_ptr<Child> started(const SpawnOptions& options) {
  auto child = Child::spawn(options);
  EXPECT_TRUE(child) << (child ? "" : child.error().message);
  return child ? std::move(*child) : nullptr;
}

std::string ended(Child& child) {
  const auto outcome = child.wait(soon());
  return outcome ? to_string(*outcome) : outcome.error().message;
}

TEST(Child, ExitStatusAndSignalAreToldApart) {
  EXPECT_EQ(ended(*started(shell("exit 15"))), "exit 15");
  EXPECT_EQ(ended(*started(shell("kill -TERM $$"))), "SIGTERM");
  EXPECT_EQ(ended(*started(misbehaving("crashes"))), "SIGSEGV");
}

std::ptrdiff_t zombies_of_ours() {
  const auto all = all_processes();
  return std::count_if(all.begin(), all.end(), [](const ProcessInfo& info) {
    return info.parent == ::getpid() && info.state == 'Z';
  });
}

TEST(Child, FailedExecNamesPathAndReasonAndLeavesNoZombie) {
  SpawnOptions options;
  options.argv = {"/nowhere/daemon"};
  const auto zombies_before = zombies_of_ours();
  const auto child = Child::spawn(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind, ErrorKind::environment);
  EXPECT_THAT(child.error().message, HasSubstr("/nowhere/daemon"));
  EXPECT_THAT(child.error().message, HasSubstr("No such file"));
  EXPECT_EQ(zombies_of_ours(), zombies_before);
}

TEST(Child, MissingFolderIsToldAsTheFolder) {
  SpawnOptions options = shell("exit 0");
  options.folder = "/nowhere";
  const auto child = Child::spawn(options);
  ASSERT_FALSE(child);
  EXPECT_THAT(child.error().message, HasSubstr("in the folder /nowhere"));
}

TEST(Child, StartsWithACleanSlate) {
  // A descriptor without CLOEXEC and an ignored, blocked signal must not reach it.
  const UniqueFd leaked(::dup(2));
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  auto child = started(shell("ls /proc/self/fd | tr '\\n' ' '; echo; "
                             "grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t\\n'; "
                             "echo; ps -o pid=,pgid=,sid= -p $$ | tr -s ' '"));
  EXPECT_EQ(ended(*child), "exit 0");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGUSR1, SIG_DFL);
  const auto lines = child->last_lines(10);
  ASSERT_GE(lines.size(), 2u);
  EXPECT_EQ(lines[0], "0 1 2 3 ");  // 3 is ls's own, on the folder
  EXPECT_EQ(lines[1], "SigBlk:0000000000000000SigIgn:0000000000000000");
  const std::string pid = std::to_string(child->pid());
  if (lines.size() > 2) {
    EXPECT_THAT(lines[2], HasSubstr(pid + " " + pid + " " + pid));
  }
}

TEST(Child, AListenerComesAsDescriptor3AndTheChildIsNamed) {
  auto port = claim_port();
  ASSERT_TRUE(port);
  const auto listener = listen_on(port->first);
  ASSERT_TRUE(listener) << listener.error().message;
  auto options = shell("echo $(($LISTEN_PID - $$)) $LISTEN_FDS; readlink /proc/$$/fd/3; "
                       "ls /proc/self/fd | tr '\\n' ' '");
  options.listener = listener->get();
  auto child = started(options);
  EXPECT_EQ(ended(*child), "exit 0");
  struct stat there = {};
  ASSERT_EQ(::fstat(listener->get(), &there), 0);
  EXPECT_THAT(child->last_lines(10),
              ElementsAre("0 1", "socket:[" + std::to_string(there.st_ino) + "]",
                          "0 1 2 3 4 "));  // 4 is ls's own
  EXPECT_TRUE(is_own_listener(port->first));
}

TEST(Child, StoppedStateIsSeen) {
  auto child = started(misbehaving("behaves"));
  ASSERT_TRUE(child->wait_line("^ready$", 0, 1, soon()));
  ASSERT_TRUE(child->signal(SIGSTOP));
  const Limit limit = soon();
  while (child->state() != 'T' && !limit.expired()) {
  }
  EXPECT_EQ(child->state(), 'T');
  ASSERT_TRUE(child->signal(SIGCONT));
  ASSERT_TRUE(child->signal(SIGTERM));
  EXPECT_EQ(ended(*child), "exit 0");
  const auto late = child->signal(SIGTERM);
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, HasSubstr("it has ended (exit 0)"));
}

TEST(Child, WaitEndsAtItsDeadlineAndByAStop) {
  auto child = started(misbehaving("never-ready"));
  const auto late = child->wait(Limit::after(Milliseconds(20)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
  std::stop_source source;
  source.request_stop();
  const auto stopped = child->wait(Limit::after(Milliseconds(60000), source.get_token()));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::stopped);
}

TEST(Child, DestructorEndsTheWholeGroup) {
  auto child = started(shell("sleep 1000 & echo $!; wait"));
  const auto line = child->wait_line("^[0-9]+$", 0, 1, soon());
  ASSERT_TRUE(line);
  const pid_t grandchild = std::stoi(*line);
  child.reset();
  const Limit limit = soon();
  const auto alive = [&] {
    const auto info = read_process(grandchild);
    return info && info->state != 'Z';
  };
  while (alive() && !limit.expired()) {
  }
  EXPECT_FALSE(alive());
}

TEST(Child, FloodIsReadInBoundedMemory) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("child-test-" + std::to_string(::getpid()) + ".log");
  SpawnOptions options = misbehaving("floods", "300");
  options.log_file = file.string();
  auto child = started(options);
  ASSERT_TRUE(child->wait_line("^ready$", 0, 1, Limit::after(Milliseconds(60000))));
  EXPECT_GT(child->lines_seen(), 2'400'000u);
  EXPECT_LT(child->output().size(), OutputLog::head_bytes + 2 * OutputLog::tail_bytes + 100);
  EXPECT_THAT(child->last_lines(2), ElementsAre("flooded", "ready"));
  const Instant begin = Clock::now();
  ASSERT_TRUE(child->signal(SIGKILL));
  EXPECT_EQ(ended(*child), "SIGKILL");
  EXPECT_LT(Clock::now() - begin, Milliseconds(8000));
  EXPECT_LT(std::filesystem::file_size(file), 1u << 20);
  std::filesystem::remove(file);
}

TEST(Child, KilledInTheMiddleOfAFloodIsReapedAtOnce) {
  auto child = started(misbehaving("floods", "100000"));
  ASSERT_TRUE(child->wait_line("x", 5000, 1, soon()));
  const Instant begin = Clock::now();
  ASSERT_TRUE(child->signal(SIGKILL));
  EXPECT_EQ(ended(*child), "SIGKILL");
  EXPECT_LT(Clock::now() - begin, Milliseconds(8000));
}

TEST(Child, GrandchildThatHoldsThePipeHoldsNothingUp) {
  ASSERT_TRUE(become_subreaper());
  begin_run("pipe-test");
  SpawnOptions options = misbehaving("leaves-child");
  options.environment = {{"AIMA_RUN", "pipe-test"}};
  auto child = started(options);
  ASSERT_TRUE(child->wait_line("^child [0-9]+ stays$", 0, 1, soon()));
  const Instant begin = Clock::now();
  ASSERT_TRUE(child->signal(SIGKILL));
  EXPECT_EQ(ended(*child), "SIGKILL");
  child.reset();
  EXPECT_LT(Clock::now() - begin, Milliseconds(8000));
  EXPECT_TRUE(end_all("pipe-test", "", soon()));
  end_run("pipe-test");
}

TEST(Child, WhatWasWrittenBeforeTheCallIsSeen) {
  std::string folder = (std::filesystem::temp_directory_path() / "child-wrote-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto child = started(shell("cd " + folder + "; i=0; while [ $i -lt 300 ]; do echo line $i; " +
                                   ": > done-$i; i=$((i+1)); done; sleep 60"));
  std::size_t late = 0;
  for (std::size_t line = 0; line < 300; ++line) {
    const std::string done = folder + "/done-" + std::to_string(line);
    const Limit limit = soon();
    while (::access(done.c_str(), F_OK) != 0 && !limit.expired()) {  // at once, not a moment later
    }
    late += child->lines_seen() <= line ? 1 : 0;
  }
  EXPECT_EQ(late, 0u);
  std::filesystem::remove_all(folder);
}

TEST(OutputLog, RequiredLiteralIsInEveryMatch) {
  EXPECT_EQ(required_literal("^ready$"), "ready");
  EXPECT_EQ(required_literal("listening on http://127.0.0.1:\\d+"), "listening on http://127");
  EXPECT_EQ(required_literal("abc?de"), "ab");
  EXPECT_EQ(required_literal("ab|cd"), "");
  EXPECT_EQ(required_literal("^(ready|up)$"), "");
  EXPECT_EQ(required_literal("a\\d"), "a");
  EXPECT_EQ(required_literal("\\dx"), "x");
}

TEST(Child, WaitLineCountsMatchesFromALine) {
  auto child = started(shell("echo a1; echo b; echo a2; echo a3; sleep 1000"));
  EXPECT_EQ(child->wait_line("^a", 0, 1, soon()).value_or("?"), "a1");
  EXPECT_EQ(child->wait_line("^a", 0, 3, soon()).value_or("?"), "a3");
  EXPECT_EQ(child->wait_line("^a", 1, 1, soon()).value_or("?"), "a2");
  const auto none = child->wait_line("^never", 0, 1, Limit::after(Milliseconds(20)));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::timeout);
  EXPECT_THAT(none.error().message, HasSubstr("the last line was: a3"));
  EXPECT_EQ(child->wait_line("(", 0, 1, soon()).error().kind, ErrorKind::invalid);
}

TEST(Child, WaitLineEndsWithTheChildAndSeesALineWithoutEnd) {
  auto child = started(misbehaving("dies-at-start"));
  const auto none = child->wait_line("^ready$", 0, 1, soon());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::subject);
  EXPECT_THAT(none.error().message, HasSubstr("exit 7"));
  EXPECT_THAT(none.error().message, HasSubstr("the store is on fire"));
  auto torn = started(shell("printf torn"));
  EXPECT_EQ(torn->wait_line("^torn$", 0, 1, soon()).value_or("?"), "torn");
  EXPECT_EQ(ended(*torn), "exit 0");
  EXPECT_EQ(torn->wait_line("^torn$", 0, 1, soon()).value_or("?"), "torn");
}

// ---- ready.h

Result<Ready> ready_of(const std::string& how, ReadyProfile profile, const std::string& socket) {
  auto notify = NotifySocket::bind(socket);
  EXPECT_TRUE(notify) << (notify ? "" : notify.error().message);
  SpawnOptions options = misbehaving(how);
  options.notify_socket = socket;
  const Instant begin = Clock::now();
  auto child = started(options);
  return wait_ready(*child, &*notify, profile, 0, "", begin, soon());
}

std::string socket_name(const std::string& prefix) {
  return prefix + "ready-test-" + std::to_string(::getpid());
}

TEST(Ready, ByNotifyOnAPathAndAnAbstractSocket) {
  for (const std::string prefix : {"/tmp/", "@"}) {
    const auto ready = ready_of("behaves", {"notify", "", "", Milliseconds(5000)}, socket_name(prefix));
    ASSERT_TRUE(ready) << ready.error().message;
    EXPECT_EQ(ready->status, "misbehaving");
    EXPECT_GT(ready->after.count(), 0);
  }
  EXPECT_FALSE(std::filesystem::exists(socket_name("/tmp/")));
}

TEST(Ready, EndsEarlyWhenTheDaemonEnds) {
  for (const std::string by : {"notify", "log", "port"}) {
    const Instant begin = Clock::now();
    const auto ready = ready_of("dies-at-start", {by, "^ready$", "", Milliseconds(60000)},
                                socket_name("@early-"));
    ASSERT_FALSE(ready) << by;
    EXPECT_EQ(ready.error().kind, ErrorKind::subject);
    EXPECT_THAT(ready.error().message, HasSubstr("the daemon ended (exit 7)"));
    EXPECT_LT(Clock::now() - begin, Milliseconds(30000));
  }
}

TEST(Ready, NeverReadyIsTheDaemonsFaultAndSaysWhatWasSeen) {
  const auto ready = ready_of("never-ready", {"log", "^ready$", "", Milliseconds(200)},
                              socket_name("@never-"));
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().kind, ErrorKind::subject);
  EXPECT_THAT(ready.error().message, HasSubstr("starting, any minute now"));
}

TEST(Ready, AStrangersMessageIsNotBelieved) {
  const std::string name = socket_name("@stranger-");
  auto notify = NotifySocket::bind(name);
  ASSERT_TRUE(notify);
  SpawnOptions stranger = misbehaving("behaves");
  stranger.notify_socket = name;
  auto other = started(stranger);
  auto daemon = started(misbehaving("never-ready"));
  ASSERT_TRUE(other->wait_line("^ready$", 0, 1, soon()));
  const auto ready = wait_ready(*daemon, &*notify, {"notify", "", "", Milliseconds(200)}, 0, "",
                                Clock::now(), soon());
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().message, HasSubstr("none of the daemon's"));
}
}  // namespace
}  // namespace harness

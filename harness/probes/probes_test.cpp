// What a probe may not look at is an error, never an absence: `expect` would count it as few or none.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "harness/history/recorder.h"
#include "harness/probes/proc.h"
#include "harness/probes/rows.h"
#include "harness/target/child.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

Limit in_seconds() { return Limit::after(Milliseconds(10000)); }

// In a child that is nobody: 0 where the task holds there.
int as_nobody(const std::function<bool()>& task) {
  const pid_t child = ::fork();
  if (child == 0) {
    // A change of user without exec closes one's own /proc pages.
    if (::setresuid(65534, 65534, 65534) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0) ::_exit(9);
    ::_exit(task() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Result<Observation> look(Result<Observation> (*probe)(Session&, const Arguments&, const Limit&),
                         Session& session) {
  return probe(session, Arguments(Node{}, {}), in_seconds());
}

TEST(Probes, DescriptorsOfAnotherUserAreNotNone) {
  Session session;
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  options.environment = {{"PATH", "/usr/bin:/bin"}};
  auto child = Child::spawn(options);
  ASSERT_TRUE(child) << child.error().message;
  session.daemon = std::move(*child);
  const auto seen = look(process_look, session);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_GE(seen->document.value("descriptors", 0), 1);
  EXPECT_TRUE(seen->document.value("running", false));
  if (::getuid() == 0) {
    EXPECT_EQ(as_nobody([&] {
                const auto denied = look(process_look, session);
                return !denied && denied.error().kind == ErrorKind::environment;
              }),
              0);
  }
  ASSERT_TRUE(session.daemon->signal(SIGKILL));
  ASSERT_TRUE(session.daemon->wait(in_seconds()));
  const auto gone = look(process_look, session);
  ASSERT_TRUE(gone);
  EXPECT_FALSE(gone->document.value("running", true));
  EXPECT_FALSE(gone->document.contains("descriptors"));
}

TEST(Probes, ChildrenAreListed) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) ::pause();
  }
  EXPECT_EQ(children_of(::getpid()), std::vector<pid_t>{child});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(Probes, FoldersThatMayNotBeReadAreNotEmpty) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root, to give a folder to somebody else";
  std::string folder = "/tmp/aima-probes-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  fs::permissions(folder, fs::perms::all);
  fs::create_directory(folder + "/instances");
  std::ofstream(folder + "/instances/a.json") << "{}";
  fs::permissions(folder + "/instances", fs::perms::none);
  Session session;
  session.provider = "native";
  session.target.instance_files = folder + "/instances";
  session.target.data = folder;
  EXPECT_EQ(as_nobody([&] {
              for (const auto probe : {containers_look, files_look}) {
                const auto denied = look(probe, session);
                if (denied || denied.error().kind != ErrorKind::environment) return false;
              }
              return true;
            }),
            0);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

// A sandbox of its own, something that goes on in it beside the test, and a session that looks at it.
class Moving : public ::testing::Test {
 protected:
  Moving() {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    for (const char* name : {"/run", "/data"}) fs::create_directory(folder_ + name);
    auto recorder = Recorder::create(folder_ + "/run", Redactor());
    EXPECT_TRUE(recorder);
    recorder_ = std::move(*recorder);
    session_.recorder = recorder_.get();
    session_.provider = "native";
    session_.target.data = session_.target.instance_files = folder_ + "/data";
  }
  ~Moving() override {
    beside_ = std::jthread();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void beside(const std::function<void()>& once) {
    beside_ = std::jthread([once](std::stop_token stop) {
      while (!stop.stop_requested()) once();
    });
  }

  std::string folder_ = "/tmp/aima-probes-XXXXXX";
  std::unique_ptr<Recorder> recorder_;
  Session session_;
  std::jthread beside_;
};

TEST_F(Moving, AFileThatIsRenamedIsNotAbsent) {
  const std::string data = folder_ + "/data/";
  for (int file = 0; file < 40; ++file) std::ofstream(data + std::to_string(file)) << "x";
  std::ofstream(data + "a.lock") << "x";
  beside([data] {
    fs::rename(data + "a.lock", data + "b.lock");
    fs::rename(data + "b.lock", data + "a.lock");
  });
  constexpr int looks = 200;
  int missed = 0;
  for (int number = 0; number < looks; ++number) {
    const auto seen = look(files_look, session_);
    ASSERT_TRUE(seen) << seen.error().message;
    int locks = 0;
    for (const auto& file : seen->document["files"])
      if (file.value("path", "").ends_with(".lock")) ++locks;
    if (locks == 0) ++missed;
  }
  EXPECT_EQ(missed, 0) << "of " << looks << " looks";
}

TEST_F(Moving, AnInstanceFileThatIsRemovedIsNoFailure) {
  const std::string data = folder_ + "/data/";
  beside([data] {
    std::ofstream(data + "a") << R"({"pid": 1, "start_ticks": 1, "labels": {}})";
    fs::rename(data + "a", data + "a.json");
    fs::remove(data + "a.json");
  });
  constexpr int looks = 300;
  for (int number = 0; number < looks; ++number) {
    const auto seen = look(containers_look, session_);
    ASSERT_TRUE(seen) << seen.error().message;
  }
}

// In its exit a process has no descriptors and no memory any more, and is still there.
TEST_F(Moving, ADaemonInItsExitIsWholeOrGone) {
  constexpr int lives = 20;
  int halves = 0;
  for (int life = 0; life < lives; ++life) {
    SpawnOptions options;
    options.argv = {"/bin/bash", "-c",
                    "for fd in {100..300}; do eval \"exec $fd</dev/null\"; done; echo ready; read"
                    " -u 1 -t 1000"};
    options.environment = {{"PATH", "/usr/bin:/bin"}};
    auto child = Child::spawn(options);
    ASSERT_TRUE(child) << child.error().message;
    session_.daemon = std::move(*child);
    ASSERT_TRUE(session_.daemon->wait_line("^ready$", 0, 1, in_seconds()));
    std::jthread killer([this, life] {
      ::usleep(static_cast<useconds_t>(life * 100));
      (void)session_.daemon->signal(SIGKILL);
    });
    for (bool running = true; running;) {
      const auto seen = look(process_look, session_);
      ASSERT_TRUE(seen) << seen.error().message;
      running = seen->document.value("running", false);
      if (running && seen->document.value("descriptors", 0) < 200) ++halves;
    }
    ASSERT_TRUE(session_.daemon->wait(in_seconds()));
  }
  EXPECT_EQ(halves, 0) << "of " << lives << " lives";
}

// The next child is there before the last one goes: there is always one.
TEST(Probes, ChildrenThatTakeTurnsAreNotNone) {
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const pid_t self = ::getpid();
    for (pid_t last = 0;;) {
      const pid_t next = ::fork();
      if (next == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != self) ::_exit(0);  // it died before the line above
        while (true) ::pause();
      }
      if (last == 0) (void)!::write(ready[1], "x", 1);
      if (last != 0) {
        ::kill(last, SIGKILL);
        ::waitpid(last, nullptr, 0);
      }
      last = next;
      ::usleep(5000);
    }
  }
  char written;
  ASSERT_EQ(::read(ready[0], &written, 1), 1);
  constexpr int looks = 2000;
  int none = 0;
  for (int number = 0; number < looks; ++number)
    if (children_of(parent).empty()) ++none;
  EXPECT_EQ(none, 0) << "of " << looks << " looks";
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}
}  // namespace
}  // namespace harness

// What a probe may not look at is an error, never an absence: `expect` would count it as few or none.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

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
}  // namespace
}  // namespace harness

// Who belongs to a run, and that nothing of it stays: processes, ports, folders, dead runs.
#include "harness/target/containment.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "harness/target/child.h"
#include "harness/target/leftovers.h"
#include "harness/target/orphaned_calls.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

Limit in_time() { return Limit::after(Milliseconds(10000)); }

std::unique_ptr<Child> misbehaving_in(const std::string& how, const std::string& run_id,
                                      const std::string& line = "^ready$") {
  SpawnOptions options;
  options.argv = {AIMA_BINARY_DIR "/bin/misbehaving-daemon", how};
  options.environment = {{"AIMA_RUN", run_id}};
  auto child = Child::spawn(options);
  EXPECT_TRUE(child) << (child ? "" : child.error().message);
  EXPECT_TRUE((*child)->wait_line(line, 0, 1, in_time()));
  return std::move(*child);
}

std::string fresh_run(const std::string& name) { return name + "-" + std::to_string(::getpid()); }

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
  constexpr int looks = 300;
  int missed = 0;
  for (int look = 0; look < looks; ++look) {
    int stay[2];  // the child ends with the other end of it
    ASSERT_EQ(::pipe2(stay, O_CLOEXEC), 0);
    if (::fork() == 0) {
      ::setsid();  // an ended one of our session would be left to us to reap
      ::close(stay[1]);
      ::usleep(static_cast<useconds_t>(look * 5));
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
  constexpr int looks = 300;
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

TEST(Ports, OneThatIsListenedOnIsTakenWithEitherProtocol) {
  for (const int family : {AF_INET, AF_INET6}) {
    const UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address = {};  // the port lies at the same place in both
    address.sin6_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) address.sin6_addr = in6addr_loopback;
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof address;
    if (::bind(listener.get(), where, size) != 0) continue;  // no IPv6 here
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    socklen_t length = sizeof address;
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    EXPECT_FALSE(port_is_free(ntohs(address.sin6_port)));
    EXPECT_EQ(is_own_listener(ntohs(address.sin6_port)), family == AF_INET);
  }
}

// In a network of this thread's own, where the kernel hands out what it is told to.
TEST(Ports, AreNeverThoseThatTheKernelHandsOut) {
  bool tried = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback = {};
    std::string("lo").copy(loopback.ifr_name, IFNAMSIZ - 1);
    loopback.ifr_flags = IFF_UP;
    if (::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0) return;
    const auto set = [](const char* name, const char* value) {
      return static_cast<bool>(std::ofstream(std::string("/proc/sys/net/ipv4/") + name)
                               << value << std::flush);
    };
    const auto claims_within = [](int low, int high) {
      for (int times = 0; times < 20; ++times) {
        const auto one = claim_port();
        const auto block = claim_port_block();
        ASSERT_TRUE(one && block);
        EXPECT_TRUE(one->first < low || one->last > high) << one->first;
        EXPECT_TRUE(block->last < low || block->first > high) << block->first;
      }
    };
    if (!set("ip_local_port_range", "20005 28888")) return;
    tried = true;
    claims_within(20005, 28888);
    ASSERT_TRUE(set("ip_local_port_range", "1024 65535"));
    ASSERT_TRUE(set("ip_local_reserved_ports", "22000-22003,25000-25050"));
    EXPECT_THAT(claim_port()->first, testing::AllOf(testing::Ge(22000), testing::Le(22003)));
    EXPECT_THAT(claim_port_block()->first, testing::AnyOf(25000, 25020));
    ASSERT_TRUE(set("ip_local_reserved_ports", "\n"));
    EXPECT_TRUE(claim_port() && claim_port_block()) << "better than none";
  }).join();
  if (!tried) GTEST_SKIP() << "needs root: it makes a network of its own";
}

TEST(Workspace, IsPrivateNamedAndGoneAtTheEnd) {
  const std::string run = fresh_run("workspace");
  std::filesystem::path root;
  {
    auto workspace = Workspace::create(run);
    ASSERT_TRUE(workspace) << workspace.error().message;
    root = (*workspace)->root();
    EXPECT_EQ(root.filename(), "aima-run-" + run);
    EXPECT_EQ(std::filesystem::status(root).permissions(), std::filesystem::perms::owner_all);
    (*workspace)->note("debts", Json::array({1}));
    const Json notes = Json::parse(read_text((root / "run.json").string()));
    EXPECT_EQ(notes["pid"], ::getpid());
    EXPECT_EQ(notes["debts"], Json::array({1}));
    std::filesystem::create_directories(root / "a" / "b");
    std::filesystem::permissions(root / "a", std::filesystem::perms::none);
    EXPECT_FALSE(Workspace::create(run)) << "one run id, one workspace";
  }
  EXPECT_FALSE(std::filesystem::exists(root));
}

TEST(Workspace, PortsAreClaimedAcrossWorkspaces) {
  auto one = Workspace::create(fresh_run("ports-1"));
  auto two = Workspace::create(fresh_run("ports-2"));
  ASSERT_TRUE(one && two);
  EXPECT_NE((*one)->port(), (*two)->port());
  EXPECT_NE((*one)->engine_ports(), (*two)->engine_ports());
  EXPECT_EQ((*one)->engine_ports().second - (*one)->engine_ports().first, 19);
  EXPECT_EQ((*one)->extra_port("proxy"), (*one)->extra_port("proxy"));
  EXPECT_NE((*one)->extra_port("proxy"), (*one)->port());
  EXPECT_TRUE(port_is_free((*one)->port()));
}

TEST(Leftovers, EachKindIsFoundAndRemoved) {
  ASSERT_TRUE(become_subreaper());
  Session session;
  session.run_id = fresh_run("leftovers");
  auto workspace = Workspace::create(session.run_id);
  ASSERT_TRUE(workspace);
  session.workspace = workspace->get();
  EXPECT_EQ(find_leftovers(session, in_time()), Json::array());

  const std::string file = ((*workspace)->root() / "held").string();
  SpawnOptions options;
  options.argv = {"flock", file, "sleep", "1000"};
  options.environment = {{"PATH", "/usr/bin:/bin"}, {"AIMA_RUN", session.run_id}};
  auto holder = Child::spawn(options);
  ASSERT_TRUE(holder);
  const auto kinds = [&] {
    std::vector<std::string> names;
    for (const auto& item : find_leftovers(session, in_time())) names.push_back(item["kind"]);
    return names;
  };
  const Limit limit = in_time();
  while (kinds().size() < 3 && !limit.expired()) {
  }
  EXPECT_THAT(kinds(), ::testing::UnorderedElementsAre("process", "process", "lock"));
  for (const auto& item : clean_up(session, in_time())) {
    EXPECT_EQ(item["removed"], true) << item.dump();
    EXPECT_EQ(item["whose"], "daemon") << item.dump();
  }
  EXPECT_EQ(find_leftovers(session, in_time()), Json::array());
}

// A harness that dies by SIGKILL: another process makes the workspace and is killed.
// Without a descriptor /proc cannot be opened: nothing is seen, which is not that nothing is there.
TEST(Leftovers, ProcessesThatCannotBeSeenAreNotNone) {
  Session session;
  session.run_id = fresh_run("unseen");
  begin_run(session.run_id);
  const auto child = misbehaving_in("behaves", session.run_id);
  rlimit usual = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  rlimit none = usual;
  none.rlim_cur = 4;  // as many as are open at least
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Json found = find_leftovers(session, in_time());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  ASSERT_EQ(found.size(), 1u) << found.dump();
  EXPECT_EQ(found[0]["whose"], "unknown");
  EXPECT_THAT(found[0].value("what", ""), HasSubstr("Too many open files"));
  end_run(session.run_id);
}

TEST(Leftovers, DeadRunIsFoundAndCleaned) {
  const std::string run = fresh_run("dead");
  const pid_t harness = ::fork();
  if (harness == 0) {
    auto workspace = Workspace::create(run);
    (*workspace)
        ->note("debts", Json::array({{{"id", "fault-1"}, {"undo", {{"fault", "first"}}}},
                                     {{"id", "fault-2"}, {"undo", {{"fault", "second"}}}}}));
    ::raise(SIGKILL);
  }
  ::waitpid(harness, nullptr, 0);
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  options.environment = {{"PATH", "/usr/bin:/bin"}, {"AIMA_RUN", run}};
  auto orphan = Child::spawn(options);
  ASSERT_TRUE(orphan);

  auto dead = find_dead_runs();
  std::erase_if(dead, [&](const DeadRun& each) { return each.run_id != run; });
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_THAT(dead[0].why, HasSubstr("is gone"));
  static std::vector<std::string> healed;
  healed.clear();
  const Json report = clean_dead_run(
      dead[0],
      [](const Json& undo, const Limit&) -> Result<Json> {
        healed.push_back(undo.value("fault", "?"));
        return Json();
      },
      in_time());
  EXPECT_THAT(healed, ::testing::ElementsAre("second", "first"));
  EXPECT_FALSE(std::filesystem::exists(dead[0].folder)) << report.dump(2);
  EXPECT_EQ(to_string((*orphan)->wait(in_time()).value_or(Exited{0})), "SIGKILL");
}

TEST(Leftovers, KeptSandboxIsDeadOnlyWhenAskedFor) {
  const std::string run = fresh_run("kept");
  const pid_t harness = ::fork();
  if (harness == 0) {
    auto workspace = Workspace::create(run);
    (*workspace)->keep();
    workspace->reset();
    ::_exit(0);
  }
  ::waitpid(harness, nullptr, 0);
  const auto of_run = [&](bool kept_too) {
    auto dead = find_dead_runs(kept_too);
    std::erase_if(dead, [&](const DeadRun& each) { return each.run_id != run; });
    return dead;
  };
  EXPECT_TRUE(of_run(false).empty());
  const auto kept = of_run(true);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].why, "it was kept on purpose");
  clean_dead_run(kept[0], nullptr, in_time());
  EXPECT_FALSE(std::filesystem::exists(kept[0].folder));
}

TEST(Leftovers, RunOfALivingHarnessIsNotDead) {
  const std::string run = fresh_run("alive");
  auto workspace = Workspace::create(run);
  ASSERT_TRUE(workspace);
  const auto dead = find_dead_runs();
  EXPECT_TRUE(std::none_of(dead.begin(), dead.end(),
                           [&](const DeadRun& each) { return each.run_id == run; }));
}
}  // namespace
}  // namespace harness

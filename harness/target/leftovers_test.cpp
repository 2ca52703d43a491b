// What a run leaves is found and removed, its own or a dead run's, and nothing of a living one.
#include "harness/target/leftovers.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "harness/target/child.h"
#include "harness/target/containment.h"
#include "harness/target/process_info.h"
#include "harness/target/run_test_support.h"
#include "harness/target/wait.h"
#include "harness/target/workspace.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

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

// A harness that dies by SIGKILL: another process makes the workspace and is killed.
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

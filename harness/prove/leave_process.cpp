// leave-process: a process of the run, as a daemon's helper would be, outlives it. The sweep at the
// end of the run finds and ends it, as it does with every leak.
#include <fmt/format.h>

#include <algorithm>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"
#include "harness/target/containment.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr const char* helper = "/bin/sleep";
constexpr const char* helper_time = "90";  // its own end, should all else fail

// What a daemon could not end because we killed it is no leak of its own: such runs are left out.
std::vector<Place> places_to_leave_process(const ProofSubject& subject) {
  std::string last_signal;
  for (const auto& event : subject.control.events) {
    if (event.kind == "daemon.exit") last_signal = event.fields.value("signal", "");
  }
  if (last_signal == "KILL") return {};
  const Course course(subject);
  for (const auto& passage : course.passages()) {
    if (passage.started && passage.up) return {{"", passage.step->path}};
  }
  return {};
}

Result<std::string> leave_helper(Live& live, const Limit& limit) {
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", fmt::format("{} {} > /dev/null 2>&1 &", helper, helper_time)};
  options.environment = {{"AIMA_RUN", live.session.run_id}};
  options.capture_output = false;
  auto shell = Child::spawn(options);
  if (!shell) return tl::unexpected(shell.error());
  if (auto ended = (*shell)->wait(limit); !ended) return tl::unexpected(ended.error());
  std::string found;
  const bool there = poll_until(
      [&] {
        for (const auto& process : find_processes(live.session.run_id)) {
          if (process.command.starts_with(helper)) {
            found = fmt::format("process {} ({}), {}", process.pid, process.command, process.why);
          }
        }
        return !found.empty();
      },
      -1, limit);
  if (there) return "left " + found;
  return fail(ErrorKind::environment, "no process of the run was left");
}

std::unique_ptr<Strike> leave_one(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::after_step, leave_helper);
}

}  // namespace

const WorldSabotage leave_process = {"leave-process", "a process of the run outlives the daemon",
                                     places_to_leave_process, leave_one};
}  // namespace harness

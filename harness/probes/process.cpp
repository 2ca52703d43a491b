// The `process` probe: what the kernel says of the daemon: state, threads, memory, descriptors,
// sockets, children.
#include <fmt/format.h>

#include "harness/probes/proc.h"
#include "harness/probes/rows.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds end_round(1);

struct WholeProcess {
  ProcessStatus status;
  Descriptors descriptors;
  std::vector<TcpSocket> sockets;
  std::vector<pid_t> children;
};

// What a process loses in its exit is gone before the process is: descriptors that are not there any
// more would be a number like any other, few enough, and no socket that listens. So it is asked again
// when all was read, and one that was in its exit is looked at until it is gone. Empty: it is.
Result<std::optional<WholeProcess>> look_while_whole(const Session& session, const Limit& limit) {
  const pid_t pid = session.daemon->pid();
  const std::uint64_t born = session.daemon->start_ticks();
  for (;;) {
    auto status = session.daemon_running() ? read_status(pid) : std::nullopt;
    if (!status || status->start_ticks != born || status->state == 'Z') return std::nullopt;
    auto descriptors = descriptors_of(status->thread);
    WholeProcess whole{*status, descriptors.value_or(Descriptors()), tcp_sockets(status->thread),
                       children_of(pid)};
    const auto after = read_process(pid);
    if (!after || after->start_ticks != born || after->state == 'Z') return std::nullopt;
    const bool ending = after->exiting || after->thread != status->thread;
    if (!ending && descriptors) return whole;
    if (!ending) {
      return fail(ErrorKind::environment,
                  fmt::format("process: the descriptors of process {} are not to be seen: it is another "
                              "user's; run the harness as that user, or as root", pid));
    }
    if (limit.expired() || limit.stopped()) {
      return fail(ErrorKind::environment,
                  fmt::format("process: process {} is in its exit (state {}) and does not end: what it "
                              "had is not to be seen any more", pid, after->state));
    }
    (void)wait_readable({}, limit.within(end_round));
  }
}

}  // namespace

StepShape process_shape() {
  return {"process",
          "probe",
          "The daemon's process as /proc shows it: state, threads, rss_kb, descriptors, children, listening, established.",
          "",
          {},
          true,
          false,
          "- process: {}\n  expect: '.rss_kb < 25000'",
          "nothing"};
}

Result<Observation> process_look(Session& session, const Arguments&, const Limit& limit) {
  if (!session.daemon) return fail(ErrorKind::invalid, "process: no daemon was started");
  const pid_t pid = session.daemon->pid();
  auto process = look_while_whole(session, limit);
  if (!process) return tl::unexpected(process.error());
  Observation seen;
  seen.command = fmt::format("cat /proc/{}/status; ls -l /proc/{}/fd", pid, pid);
  if (!*process) {
    seen.document = {{"running", false}, {"pid", pid}};
    seen.summary = fmt::format("process {} is gone", pid);
    return seen;
  }
  const auto& [status, descriptors, sockets, child_pids] = **process;
  Json listening = Json::array();
  int established = 0;
  for (const auto& socket : sockets) {
    if (!descriptors.socket_inodes.contains(socket.inode)) continue;
    if (socket.state == 10) listening.push_back(socket.local_port);
    if (socket.state == 1) ++established;
  }
  Json children = Json::array();
  for (pid_t child : child_pids) {
    children.push_back({{"pid", child}, {"command", command_line_of(child)}});
  }
  seen.document = {{"running", true},
                   {"pid", pid},
                   {"state", std::string(1, status.state)},
                   {"threads", status.threads},
                   {"rss_kb", status.rss_kb},
                   {"descriptors", descriptors.targets.size()},
                   {"files", descriptors.targets},
                   {"listening", listening},
                   {"established", established},
                   {"children", children}};
  seen.summary = fmt::format("process {}: state {}, {} threads, {} KB, {} descriptors, {} children", pid,
                             status.state, status.threads, status.rss_kb,
                             descriptors.targets.size(), children.size());
  return seen;
}
}  // namespace harness

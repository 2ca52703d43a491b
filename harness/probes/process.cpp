// The `process` probe: what the kernel says of the daemon: state, threads, memory, descriptors,
// sockets, children.
#include <fmt/format.h>

#include "harness/probes/proc.h"
#include "harness/probes/rows.h"

namespace harness {

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

Result<Observation> process_look(Session& session, const Arguments&, const Limit&) {
  if (!session.daemon) return fail(ErrorKind::invalid, "process: no daemon was started");
  pid_t pid = session.daemon->pid();
  Observation seen;
  seen.command = fmt::format("cat /proc/{}/status; ls -l /proc/{}/fd", pid, pid);
  auto status = session.daemon_running() ? read_status(pid) : std::nullopt;
  const auto descriptors = status ? descriptors_of(pid) : std::nullopt;
  if (status && !descriptors && read_status(pid)) {
    // None would be a number like any other: few enough, and no socket that listens.
    return fail(ErrorKind::environment,
                fmt::format("process: the descriptors of process {} are not to be seen: it is another "
                            "user's; run the harness as that user, or as root", pid));
  }
  if (!status || !descriptors) {
    seen.document = {{"running", false}, {"pid", pid}};
    seen.summary = fmt::format("process {} is gone", pid);
    return seen;
  }
  Json listening = Json::array();
  int established = 0;
  for (const auto& socket : tcp_sockets(pid)) {
    if (!descriptors->socket_inodes.contains(socket.inode)) continue;
    if (socket.state == 10) listening.push_back(socket.local_port);
    if (socket.state == 1) ++established;
  }
  Json children = Json::array();
  for (pid_t child : children_of(pid)) {
    children.push_back({{"pid", child}, {"command", command_line_of(child)}});
  }
  seen.document = {{"running", status->state != 'Z'},
                   {"pid", pid},
                   {"state", std::string(1, status->state)},
                   {"threads", status->threads},
                   {"rss_kb", status->rss_kb},
                   {"descriptors", descriptors->targets.size()},
                   {"files", descriptors->targets},
                   {"listening", listening},
                   {"established", established},
                   {"children", children}};
  seen.summary = fmt::format("process {}: state {}, {} threads, {} KB, {} descriptors, {} children", pid,
                             status->state, status->threads, status->rss_kb,
                             descriptors->targets.size(), children.size());
  return seen;
}
}  // namespace harness

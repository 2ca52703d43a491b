// Looking first, removing second, looking again third: only the third look says what is left.
#include "harness/target/leftovers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "harness/base/read_json.h"
#include "harness/base/unique_fd.h"
#include "harness/target/cgroup.h"
#include "harness/target/containment.h"
#include "harness/target/enclosure.h"
#include "harness/target/kernel_locks.h"
#include "harness/target/orphaned_calls.h"
#include "harness/target/port_holders.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

Json leftover(const char* kind, std::string what, const char* whose) {
  return {{"kind", kind}, {"what", std::move(what)}, {"whose", whose}, {"removed", false}};
}

std::string label_of(const std::string& run_id) { return "aima.run=" + run_id; }

// Removes the run's cgroup, which must be empty by now.
void end_enclosure(Json& left, const std::string& run_id, const Limit& limit) {
  if (auto opened = open_enclosure(run_id, limit); !opened)
    left.push_back(leftover("cgroup", opened.error().message, "harness"));
}

// Where not even our own process can be read nothing is known of others: descriptors have run out.
bool processes_can_be_seen(Json& found) {
  const UniqueFd self(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  if (self) return true;
  found.push_back(leftover("process", std::string("the processes of the run cannot be looked for: "
                                                  "/proc cannot be read: ") + ::strerrordesc_np(errno),
                           "unknown"));
  return false;
}

void add_processes(Json& found, const std::string& run_id, const std::string& instance_files,
                   pid_t but) {
  if (!processes_can_be_seen(found)) return;
  const std::size_t before = found.size();
  for (const auto& process : find_processes(run_id, instance_files)) {
    if (process.pid == but) continue;
    Json item = leftover("process",
                         std::to_string(process.pid) + " " + process.command + " (" + process.why +
                             (process.engine.empty() ? ")" : ", engine " + process.engine + ")"),
                         process.engine.empty() ? "daemon" : "run");
    item["pid"] = process.pid;
    found.push_back(std::move(item));
  }
  if (found.size() > before || but != 0 || enclosure_is_empty(run_id)) return;
  found.push_back(leftover("process", "in the cgroup of the run, forking too fast to be listed",
                           "daemon"));
}

void add_containers(Json& found, EngineClient& engine, const std::string& run_id,
                    const Limit& limit) {
  const auto listed = engine.list({label_of(run_id)}, limit);
  if (!listed) {
    found.push_back(leftover("container", "the engine cannot be asked: " + listed.error().message,
                             "harness"));
    return;
  }
  for (const auto& container : *listed) {
    const std::string id = container.value("id", "");
    Json item = leftover("container",
                         container.value("name", id) + " (" + container.value("state", "?") + ")",
                         "run");
    item["id"] = id;
    found.push_back(std::move(item));
  }
}

void add_locks(Json& found, const fs::path& sandbox) {
  const auto locks = locks_below(sandbox);
  if (!locks) {
    found.push_back(leftover("lock", locks.error().message, "unknown"));
    return;
  }
  for (const auto& lock : *locks) {
    const std::string who = lock.pid > 0 ? "process " + std::to_string(lock.pid)
                                         : "a process that cannot be seen from here";
    found.push_back(leftover("lock", lock.path.string() + " is locked by " + who, "daemon"));
  }
}

// The kernel lists all listeners first, then what may be thousands of connections: reading ends with
// the first of those.
std::vector<int> listening_ports(const char* table) {
  std::vector<int> ports;
  std::ifstream lines(table);
  std::string line;
  std::getline(lines, line);  // the headings
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string number, local, remote, state;
    fields >> number >> local >> remote >> state;
    const auto colon = local.find(':');
    if (state != "0A" || colon == std::string::npos) break;
    ports.push_back(static_cast<int>(std::stoul(local.substr(colon + 1), nullptr, 16)));
  }
  return ports;
}

// A stranger who took a port that was free again is no trace of the run. The container engine's
// forwarders are none of its processes either, and listen for its containers.
bool is_strangers(int port, const std::vector<FoundProcess>& run) {
  const auto holders = port_holders(port, run);
  return holders.ours.empty() && !holders.stranger.empty() &&
         holders.stranger.find("docker-proxy") == std::string::npos &&
         holders.stranger.find("rootlessport") == std::string::npos;
}

void add_listeners(Json& found, const Session& session) {
  const Workspace& workspace = *session.workspace;
  std::set<int> ports{workspace.port()};
  for (int port = workspace.engine_ports().first; port <= workspace.engine_ports().second; ++port)
    ports.insert(port);
  // Each read of those tables walks the whole hash of connections, milliseconds on a big machine; a
  // bind that succeeds says for nothing that nobody listens.
  std::erase_if(ports, port_is_free);
  if (ports.empty()) return;
  const auto run = find_processes(session.run_id, session.target.instance_files);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const int port : listening_ports(table)) {
      if (!ports.contains(port) || is_strangers(port, run)) continue;
      // Engines that outlive the daemon listen by right; only its own port must be free again.
      found.push_back(leftover("socket", "somebody listens on port " + std::to_string(port),
                               port == workspace.port() ? "daemon" : "run"));
    }
  }
}

bool is_there(const Json& items, const Json& item) {
  return std::any_of(items.begin(), items.end(), [&](const Json& other) {
    return other["kind"] == item["kind"] && other["what"] == item["what"];
  });
}

// A daemon that was killed may have asked for a container that is not made yet.
void await_engine(const EngineClient& engine, const Limit& limit) {
  constexpr std::string_view scheme = "unix://";
  const std::string host = engine.host();
  if (host.starts_with(scheme)) await_orphaned_calls(host.substr(scheme.size()), limit);
}

Result<void> remove_containers(EngineClient& engine, const std::string& run_id,
                               const Limit& limit) {
  const auto listed = engine.list({label_of(run_id)}, limit);
  if (!listed) return tl::unexpected(listed.error());
  Result<void> result;
  for (const auto& container : *listed) {
    // The filter of the engine is not trusted with other people's containers.
    if (held(held(container, "labels", Json()), "aima.run", "") != run_id) continue;
    if (auto gone = engine.act("remove", held(container, "id", ""), limit); !gone) result = gone;
  }
  return result;
}
}  // namespace

Json find_leftovers(Session& session, const Limit& limit) {
  Json found = Json::array();
  const pid_t running = session.daemon_running() ? session.daemon->pid() : 0;
  add_processes(found, session.run_id, session.target.instance_files, running);
  if (session.engine) add_containers(found, *session.engine, session.run_id, limit);
  if (session.workspace == nullptr) return found;
  add_locks(found, session.workspace->root());
  add_listeners(found, session);
  for (const auto& point : mounts_below(session.workspace->root()))
    found.push_back(leftover("mount", point, "daemon"));
  return found;
}

Json clean_up(Session& session, const Limit& limit) {
  if (session.engine) await_engine(*session.engine, limit);
  Json before = find_leftovers(session, limit);
  Json after = Json::array();
  // Nobody is there who could make more while it is removed: one look says all.
  if (before.empty() && !session.daemon_running()) {
    end_enclosure(before, session.run_id, limit);
    return before;
  }
  if (auto ended = end_all(session.run_id, session.target.instance_files, limit); !ended)
    after.push_back(leftover("process", ended.error().message, "harness"));
  if (session.engine)
    if (auto gone = remove_containers(*session.engine, session.run_id, limit); !gone)
      after.push_back(leftover("container", gone.error().message, "harness"));
  const Json still = find_leftovers(session, limit);
  for (Json& item : before) item["removed"] = !is_there(still, item);
  for (Json item : still) {
    if (item["kind"] == "mount") continue;  // unmounted when the folder is removed
    if (item["whose"] == "unknown" && is_there(before, item)) continue;
    item["whose"] = "harness";
    after.push_back(std::move(item));
  }
  end_enclosure(after, session.run_id, limit);
  for (Json& item : after) before.push_back(std::move(item));
  return before;
}

Json clean_dead_run(const DeadRun& run, HealRecorded heal, const Limit& limit) {
  Json report = Json::array();
  bool all = true;
  const auto add = [&](const char* kind, const std::string& what, const Result<void>& gone) {
    Json item = {{"kind", kind}, {"what", what}, {"removed", gone.has_value()}};
    if (!gone) item["detail"] = gone.error().message;
    all = all && gone.has_value();
    report.push_back(std::move(item));
  };
  const Json debts = held(run.notes, "debts", Json::array());
  for (auto debt = debts.rbegin(); debt != debts.rend(); ++debt) {
    const Json undo = held(*debt, "undo", *debt);
    const auto healed = heal == nullptr ? Result<Json>(Json()) : heal(undo, limit);
    add("fault", held(*debt, "fault", "?"),
        healed ? Result<void>() : Result<void>(tl::unexpected(healed.error())));
  }
  if (!run.group.empty()) {
    RunGroup group(run.group);
    const auto inside = group.members();
    auto gone = group.end_members(limit);
    if (gone) gone = group.remove(limit);
    add("cgroup", run.group + " with " + std::to_string(inside.size()) + " processes", gone);
  }
  const auto ended = end_all(run.run_id, held(run.notes, "instance_files", ""), limit);
  if (!ended) add("process", "processes of " + run.run_id, tl::unexpected(ended.error()));
  else
    for (const auto& process : *ended)
      add("process", std::to_string(process.pid) + " " + process.command, {});
  if (const std::string host = held(run.notes, "engine", ""); !host.empty()) {
    const std::string what = "containers with " + label_of(run.run_id);
    auto engine = EngineClient::connect(host, limit);
    if (!engine) {
      add("container", what, tl::unexpected(engine.error()));
    } else {
      await_engine(*engine, limit);
      const auto listed = engine->list({label_of(run.run_id)}, limit);
      if (!listed || !listed->empty())
        add("container", what, remove_containers(*engine, run.run_id, limit));
    }
  }
  if (all && !run.folder.empty()) add("folder", run.folder.string(), remove_sandbox(run.folder));
  return report;
}
}  // namespace harness

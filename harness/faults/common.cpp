// Shared by faults: identities are pid and start ticks, so that nobody else's process is ever hit.
#include "harness/faults/common.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/target/kernel_locks.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

// Beside the harness in a build folder, in libexec where it is installed.
std::string holder_program() {
  const std::string here = executable_folder();
  for (const char* folder : {"/", "/../libexec/aima-harness/"}) {
    const std::string program = here + folder + "aima-hold-database";
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return here + "/aima-hold-database";
}

}  // namespace

Result<Child*> running_daemon(Session& session, const std::string& fault) {
  if (session.daemon_running()) return session.daemon.get();
  return fail(ErrorKind::invalid, "the fault `" + fault + "` needs a running daemon, and " +
                                      (session.daemon ? "it has ended" : "none was started"));
}

Result<void> daemon_is_down(const Session& session, const std::string& fault) {
  if (!session.daemon_running()) return {};
  return fail(ErrorKind::invalid, "the fault `" + fault +
                                      "` needs the daemon to be down, and it runs (process " +
                                      std::to_string(session.daemon->pid()) +
                                      "); stop it or kill it in a step before");
}

Result<std::string> database_of(const Session& session, const Arguments& arguments,
                                const std::string& fault) {
  if (arguments.has("database")) return arguments.text("database");
  if (!session.target.sqlite.empty()) return session.target.sqlite.front();
  return fail(ErrorKind::invalid, "the fault `" + fault + "` needs a `database`: the target " +
                                      session.target.name + " lists none under `sqlite`");
}

Result<bool> signal_recorded(const Json& process, int number) {
  if (!process.contains("pid") || !process.contains("start_ticks")) return false;
  const auto pid = process["pid"].get<pid_t>();
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return false;
  const auto now = read_process(pid);
  if (!now || now->start_ticks != process["start_ticks"].get<std::uint64_t>() || now->state == 'Z')
    return false;
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  return fail(ErrorKind::environment, "cannot signal process " + std::to_string(pid) + ": " +
                                          ::strerrordesc_np(errno));
}

Result<Json> leave_holder_to_sweep(const Json&, const Limit&) {
  return Json{{"released", nullptr}, {"left_to", "the sweep of the run's processes"}};
}

Result<std::string> Holder::hold(const Session& session, const std::string& how,
                                 const std::string& database, const Limit& limit) {
  SpawnOptions options;
  options.argv = {holder_program(), how, database};
  options.environment = {{"AIMA_RUN", session.run_id}};
  auto child = Child::spawn(options);
  if (!child) return tl::unexpected(child.error());
  child_ = std::move(*child);
  auto line = child_->wait_line("^holding ", 0, 1, limit);
  if (line) return line;
  const auto last = child_->last_lines(1);
  if (child_->running()) return line;
  return fail(ErrorKind::environment, "the database " + database + " cannot be held: " +
                                          (last.empty() ? line.error().message : last.front()));
}

Result<Json> Holder::release(const Limit& limit) {
  if (!child_) return Json{{"released", true}};
  (void)child_->signal(SIGKILL);  // an error means that it is gone
  auto ended = child_->wait(limit);
  if (!ended) return tl::unexpected(ended.error());
  return Json{{"released", true}, {"pid", child_->pid()}, {"ended", to_string(*ended)}};
}

Result<Json> Holder::locks_held(const std::string& file) const {
  const auto locks = locks_on(file);
  if (!locks) return tl::unexpected(locks.error());
  Json found = Json::array();
  for (const auto& lock : *locks)
    if (lock.pid == pid())
      found.push_back({{"kind", lock.kind}, {"mode", lock.mode}, {"range", lock.range}});
  return found;
}
}  // namespace harness

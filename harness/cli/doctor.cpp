// `aima-harness doctor`: what this machine offers, and what is lost without it.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <ostream>

#include "harness/base/json.h"
#include "harness/base/unique_fd.h"
#include "harness/cli/commands.h"
#include "harness/run/world.h"
#include "harness/target/cgroup.h"
#include "harness/target/enclosure.h"
#include "harness/target/pid_namespace.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

struct Capability {
  std::string name;
  bool there = false;
  std::string found;    // version, path, or why not
  std::string without;  // what is lost
};

// Runs `attempt` in a child of our own, so that a probe can leave no trace; its answer is errno.
template <typename Attempt>
int in_child(Attempt attempt) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(attempt());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

Capability container_engine() {
  auto provider = find_provider("auto", Limit::after(Milliseconds(3000)));
  Capability finding{"container engine", false, "", "engines run as native processes; criteria about "
                                                "containers say so beside PASS"};
  if (!provider) {
    finding.found = provider.error().message;
  } else {
    finding.there = provider->engine.has_value();
    finding.found = finding.there ? provider->detail : provider->why_native;
  }
  return finding;
}

Capability sqlite() {
  return {"sqlite", true, sqlite3_libversion(), "databases cannot be looked at"};
}

Capability subreaper() {
  const int error = in_child([] { return ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : errno; });
  return {"child subreaper", error == 0, error == 0 ? "" : std::string(::strerrordesc_np(error)),
          "orphans of a daemon are found by their environment only"};
}

Capability pidfd() {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  return {"pidfd", static_cast<bool>(fd), fd ? "" : std::string(::strerrordesc_np(errno)),
          "no scenario can run: signals might hit a reused pid (needs Linux 5.3)"};
}

// By doing what a run does: being allowed to is more than being there.
Capability cgroup() {
  const auto made = RunGroup::make("doctor");
  return {"cgroup v2", made.has_value(),
          made ? fs::path((*made)->path()).parent_path().string() : made.error().message,
          "runs are contained by a PID namespace, or by marks; what clears its environment, leaves its "
          "session and forks on can outrun the marks"};
}

Capability pid_namespace() {
  const auto made = RunNamespace::make(-1);
  return {"PID namespace", made.has_value(),
          made ? "with --contain pid-namespace, or where there is no cgroup v2" : made.error().message,
          "--contain pid-namespace cannot be had: nothing ends a run's processes when the harness is "
          "killed before `clean`"};
}

Capability containment() {
  const auto enclosed = enclose("doctor");
  const std::string by = enclosed ? enclosed->by : enclosed.error().message;
  (void)open_enclosure("doctor", Limit::after(Milliseconds(1000)));
  return {"runs contained by", !by.starts_with("marks"), by,
          "every process of a run carries AIMA_RUN and comes to the harness when its parent dies; one "
          "that clears it, and outlives a killed harness, is not found by `clean`"};
}

Capability ptrace_allowed() {
  const int error = in_child([] {
    const pid_t traced = ::fork();
    if (traced == 0) {
      ::pause();
      ::_exit(0);
    }
    const int result = ::ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) == 0 ? 0 : errno;
    ::kill(traced, SIGKILL);
    ::waitpid(traced, nullptr, 0);
    return result;
  });
  return {"ptrace", error == 0, error == 0 ? "" : std::string(::strerrordesc_np(error)),
          "crash points cannot be explored, system calls not be injected"};
}

Capability fuse() {
  const bool device = ::access("/dev/fuse", R_OK | W_OK) == 0;
  return {"FUSE", device, device ? "/dev/fuse" : std::string("/dev/fuse: ") + ::strerrordesc_np(errno),
          "a failing or slow disk cannot be simulated below a daemon"};
}

Capability sandbox_space() {
  const char* given = std::getenv("TMPDIR");
  const fs::path folder = given && *given ? given : "/tmp";
  std::error_code error;
  const auto space = fs::space(folder, error);
  const bool enough = !error && space.available > (256ULL << 20);
  return {"sandbox", enough,
          error ? folder.string() + ": " + error.message()
                : fmt::format("{}, {} MB free", folder.string(), space.available >> 20),
          "runs need some room: set TMPDIR to a folder with 256 MB"};
}

}  // namespace

int command_doctor(const CommandContext& context, bool json) {
  utsname name{};
  ::uname(&name);
  const std::vector<Capability> findings = {container_engine(), sqlite(),       subreaper(),
                                         pidfd(),            cgroup(),       pid_namespace(),
                                         containment(),      ptrace_allowed(), fuse(),
                                         sandbox_space()};
  if (json) {
    Json all = Json::object();
    all["system"] = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
    for (const auto& finding : findings) {
      all["offers"][finding.name] = {{"there", finding.there}, {"found", finding.found}};
      if (!finding.there) all["offers"][finding.name]["without"] = finding.without;
    }
    context.out << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return exit_pass;
  }
  context.out << fmt::format("{} {} {}\n", name.sysname, name.release, name.machine);
  for (const auto& finding : findings) {
    context.out << fmt::format("  {:<4} {:<17} {}\n", finding.there ? "yes" : "no", finding.name,
                               finding.found);
    if (!finding.there) context.out << fmt::format("       {:<17} → {}\n", "", finding.without);
  }
  return exit_pass;
}
}  // namespace harness

// See selftest.h. Nothing is shared with the harness but its command line.
#include "daemon/cli/selftest.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace aima::cli {
namespace {
namespace fs = std::filesystem;

constexpr std::array<const char*, 2> kSeeds{"restart-survival", "graceful-shutdown"};
constexpr std::array<int, 4> kPassedOn{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

tl::unexpected<Error> no_harness(std::string message) {
  return fail(0, "no_harness", std::move(message));
}

// The path of this program: what the scenarios run.
Result<fs::path> own_program() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  if (error) return no_harness("selftest: /proc/self/exe cannot be read: " + error.message());
  if (!fs::exists(path, error)) {
    return no_harness("selftest: this program's file is gone or was replaced (" + path.string() +
                      "); call it again");
  }
  return path;
}

Result<fs::path> find_harness(const fs::path& own) {
  std::vector<fs::path> folders{own.parent_path()};
  if (const char* path = std::getenv("PATH"); path != nullptr) {
    const std::string text = path;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find(':', at), text.size());
      if (end > at) folders.emplace_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  for (const fs::path& prefix : {own.parent_path().parent_path(), fs::path("/usr/local"),
                                 fs::path("/usr")}) {
    folders.push_back(prefix / "libexec" / "aima-harness");
  }
  for (const fs::path& folder : folders) {
    const fs::path found = folder / "aima-harness";
    std::error_code ignored;
    if (fs::is_regular_file(found, ignored) && ::access(found.c_str(), X_OK) == 0) return found;
  }
  return no_harness("selftest needs aima-harness, and there is none beside " + own.string() +
                    ", in PATH or in libexec: install it (it is in the package of aima)");
}

// A folder of its own, gone with it.
class Scratch {
 public:
  static Result<Scratch> make() {
    std::error_code error;
    const fs::path temporary = fs::temp_directory_path(error);
    std::string pattern = (error ? fs::path("/tmp") : temporary) / "aima-selftest-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      return fail(0, "no_scratch", "selftest: no temporary folder can be made in " +
                                       fs::path(pattern).parent_path().string() + ": " +
                                       std::strerror(errno) + "; TMPDIR names another place");
    }
    return Scratch(pattern);
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

// Ours but for what would lead to the live daemon or to the user's own settings.
std::vector<std::string> environment_in(const fs::path& home) {
  std::vector<std::string> kept{"HOME=" + home.string()};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const bool leads_out = text.starts_with("HOME=") || text.starts_with("AIMA_") ||
                           text.starts_with("NOTIFY_SOCKET=") || text.starts_with("LISTEN_") ||
                           text.starts_with("WATCHDOG_");
    if (!leads_out) kept.emplace_back(text);
  }
  return kept;
}

Result<std::vector<std::string>> arguments_for(const Invocation& invocation, const fs::path& own,
                                               const fs::path& runs) {
  const Json& input = invocation.input;
  if (input.contains("list")) {
    std::vector<std::string> words{"list", "scenarios"};
    if (invocation.globals.output == Output::json) words.emplace_back("--json");
    return words;
  }
  if (invocation.globals.output == Output::yaml) {
    return fail(0, "usage", "aima selftest writes table or json, not yaml");
  }
  std::vector<std::string> words{"run"};
  if (input.contains("scenario")) {
    for (const Json& scenario : input["scenario"]) {
      const auto named = scenario.get<std::string>();
      std::error_code ignored;  // it runs in another folder
      words.push_back(fs::exists(named, ignored) ? fs::absolute(named, ignored).string() : named);
    }
  } else {
    words.insert(words.end(), kSeeds.begin(), kSeeds.end());
  }
  const auto add = [&words](const std::string& flag, const std::string& value) {
    words.push_back(flag);
    words.push_back(value);
  };
  add("--set", "target.vars.aima=" + own.string());
  add("--provider", input.value("provider", "native"));
  add("--out", input.contains("out") ? fs::absolute(input["out"].get<std::string>()).string()
                                     : runs.string());
  if (input.contains("jobs")) add("--jobs", std::to_string(input["jobs"].get<std::int64_t>()));
  if (input.contains("seed")) add("--seed", input["seed"].get<std::string>());
  if (invocation.globals.timeout) {
    add("--timeout", std::to_string(invocation.globals.timeout->count()) + "ms");
  }
  if (invocation.globals.output == Output::json) add("--report", "json=-");
  return words;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

volatile std::sig_atomic_t harness_pid = 0;
void pass_on(int signal) {
  if (harness_pid > 0) ::kill(static_cast<pid_t>(harness_pid), signal);
}

// In the child: nothing but calls that are safe after a fork.
[[noreturn]] void become(const char* program, char* const* words, char* const* environment,
                         const char* folder, const sigset_t* mask, pid_t parent) {
  ::setpgid(0, 0);                     // the terminal's SIGINT reaches it once: through us
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // and it heals its runs where we are killed
  if (::getppid() != parent || ::chdir(folder) != 0) ::_exit(127);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  ::sigprocmask(SIG_SETMASK, mask, nullptr);
  ::execve(program, words, environment);
  ::_exit(errno == ENOENT || errno == EACCES || errno == ENOEXEC ? 126 : 127);
}

// Runs it to its end; the handlers stand only that long.
int run_program(const fs::path& program, std::vector<std::string> words,
                std::vector<std::string> environment, const fs::path& folder) {
  words.insert(words.begin(), program.string());
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> variables = pointers_to(environment);
  sigset_t ours, before;
  sigemptyset(&ours);
  for (const int signal : kPassedOn) sigaddset(&ours, signal);
  ::sigprocmask(SIG_BLOCK, &ours, &before);  // none is lost between fork and handler
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    become(program.c_str(), arguments.data(), variables.data(), folder.c_str(), &before, parent);
  }
  std::array<struct sigaction, kPassedOn.size()> old{};
  struct sigaction handler {};
  handler.sa_handler = pass_on;
  harness_pid = child;
  for (std::size_t i = 0; i < kPassedOn.size(); ++i) {
    ::sigaction(kPassedOn[i], &handler, &old[i]);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  pid_t ended = -1;
  if (child > 0) {
    do {
      ended = ::waitpid(child, &status, 0);
    } while (ended < 0 && errno == EINTR);
  }
  harness_pid = 0;
  for (std::size_t i = 0; i < kPassedOn.size(); ++i) ::sigaction(kPassedOn[i], &old[i], nullptr);
  if (ended < 0) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
}  // namespace

Result<int> run_selftest(const Invocation& invocation) {
  const auto own = own_program();
  if (!own) return tl::unexpected(own.error());
  const auto harness = find_harness(*own);
  if (!harness) return tl::unexpected(harness.error());
  const auto scratch = Scratch::make();
  if (!scratch) return tl::unexpected(scratch.error());
  const fs::path home = scratch->path() / "home";
  std::error_code error;
  fs::create_directory(home, error);
  const auto words = arguments_for(invocation, *own, scratch->path() / "runs");
  if (!words) return tl::unexpected(words.error());
  // Not here: the scenarios are those of the harness, whatever folder we were called from.
  const int status = run_program(fs::absolute(*harness, error), *words, environment_in(home),
                                 scratch->path());
  if (status < 0 || status == 126 || status == 127) {
    return no_harness("selftest: " + harness->string() + " could not be run");
  }
  return status;
}

}  // namespace aima::cli

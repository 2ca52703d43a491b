// The folder, its run.json and its ports live and go together.
#include "harness/target/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sstream>

#include "harness/base/clock.h"
#include "harness/base/unique_fd.h"
#include "harness/target/containment.h"
#include "harness/target/enclosure.h"
#include "harness/target/owner.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Whole or not at all for who reads it; `durably`: after a power loss too.
Result<void> write_whole(const fs::path& file, const std::string& text, bool durably) {
  const fs::path draft = file.string() + ".new";
  UniqueFd out(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool written = out && ::write(out.get(), text.data(), text.size()) ==
                                  static_cast<ssize_t>(text.size()) &&
                       (!durably || ::fdatasync(out.get()) == 0);
  if (!written || ::rename(draft.c_str(), file.c_str()) != 0)
    return fail(ErrorKind::environment,
                "cannot write " + file.string() + ": " + ::strerrordesc_np(errno));
  if (!durably) return {};
  const UniqueFd folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ::fsync(folder.get());
  return {};
}

// mountinfo writes blank, tab, newline and backslash as octal.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 3 < text.size()) {
      plain += static_cast<char>(std::stoi(text.substr(at + 1, 3), nullptr, 8));
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}
}  // namespace

fs::path temporary_folder() {
  const char* given = std::getenv("TMPDIR");
  return fs::absolute(given != nullptr && *given != '\0' ? given : "/tmp");
}

std::vector<std::string> mounts_below(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code ignored;
  const fs::path resolved = fs::weakly_canonical(folder, ignored);
  const std::string prefix = (ignored ? folder : resolved).string() + "/";
  std::istringstream lines(read_text("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string skipped, point;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    point = unescaped(point);
    if (point.starts_with(prefix)) found.push_back(point);
  }
  std::reverse(found.begin(), found.end());  // mountinfo is in the order of mounting
  return found;
}

Result<void> remove_sandbox(const fs::path& folder) {
  for (const auto& point : mounts_below(folder)) ::umount2(point.c_str(), MNT_DETACH);
  if (const auto left = mounts_below(folder); !left.empty())
    return fail(ErrorKind::environment, "the sandbox " + folder.string() +
                                            " is not removed: " + left.front() +
                                            " is still mounted; unmount it, then `aima-harness clean`");
  // A removal that is cut short has removed run.json perhaps: the name says then whose it is.
  const std::string name = folder.filename().string();
  if (name.starts_with("aima-run-")) {
    const fs::path half = folder.parent_path() / owned_name(half_sandbox, name.substr(9));
    if (::rename(folder.c_str(), half.c_str()) == 0) return remove_sandbox(half);
  }
  std::error_code error;
  // A daemon may have left folders that even their owner cannot write to.
  for (auto entry = fs::recursive_directory_iterator(
           folder, fs::directory_options::skip_permission_denied, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored))
      fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
  }
  error.clear();
  fs::remove_all(folder, error);
  if (!error) return {};
  return fail(ErrorKind::environment,
              "the sandbox " + folder.string() + " cannot be removed: " + error.message());
}

struct Workspace::State {
  std::string run_id;
  fs::path root;
  PortClaim port;
  PortClaim engine_ports;
  std::map<std::string, PortClaim> extra;
  Json notes = Json::object();
  std::string contained_by;
  bool kept = false;
  bool removed = false;
  mutable std::mutex mutex;
};

namespace {
tl::unexpected<Error> cannot_make(const fs::path& root, const std::string& what_to_do) {
  return fail(ErrorKind::environment, "cannot make the sandbox " + root.string() + ": " +
                                          ::strerrordesc_np(errno) + "; " + what_to_do);
}
}  // namespace

Result<std::unique_ptr<Workspace>> Workspace::create(const std::string& run_id) {
  auto state = std::make_unique<State>();
  state->run_id = run_id;
  state->root = temporary_folder() / ("aima-run-" + run_id);
  const fs::path draft = temporary_folder() / owned_name(half_sandbox, run_id);
  if (::mkdir(draft.c_str(), 0700) != 0)
    return cannot_make(state->root, "TMPDIR must be a folder that can be written to");
  const Owner owner = this_process();
  state->notes = {{"run_id", run_id},
                  {"pid", owner.pid},
                  {"start_ticks", owner.start_ticks},
                  {"pid_namespace", owner.pid_namespace},
                  {"boot_id", boot_id()},
                  {"utc", utc_now()}};
  // Whose it is stands in it before it has its name, so that `clean` knows whatever died meanwhile.
  auto written = write_whole(draft / "run.json", state->notes.dump(2) + "\n", false);
  if (written && ::rename(draft.c_str(), state->root.c_str()) != 0)
    written = cannot_make(state->root, "another run has that name");
  if (!written) {
    (void)remove_sandbox(draft);
    return tl::unexpected(written.error());
  }
  begin_run(run_id);
  // From here on a failure must leave nothing: the destructor of the workspace takes the folder.
  std::unique_ptr<Workspace> workspace(new Workspace(std::move(state)));
  State& made = *workspace->state_;
  auto enclosed = enclose(run_id);
  if (!enclosed) return tl::unexpected(enclosed.error());
  made.contained_by = enclosed->by;
  if (!enclosed->group.empty()) made.notes["cgroup"] = enclosed->group;  // its name says whose it is
  for (const char* name : {"home", "scratch", "tmp"}) ::mkdir((made.root / name).c_str(), 0700);
  auto port = claim_port();
  if (!port) return tl::unexpected(port.error());
  auto block = claim_port_block();
  if (!block) return tl::unexpected(block.error());
  made.port = std::move(*port);
  made.engine_ports = std::move(*block);
  made.notes["port"] = made.port.first;  // written with the next note
  made.notes["engine_ports"] = {made.engine_ports.first, made.engine_ports.last};
  return workspace;
}

Workspace::Workspace(std::unique_ptr<State> state) : state_(std::move(state)) {}

Workspace::~Workspace() {
  (void)remove();
  end_run(state_->run_id);
}

Result<void> Workspace::remove() {
  if (state_->kept || state_->removed) return {};
  auto gone = remove_sandbox(state_->root);
  state_->removed = gone.has_value();
  return gone;
}

const fs::path& Workspace::root() const { return state_->root; }
const std::string& Workspace::contained_by() const { return state_->contained_by; }
fs::path Workspace::home() const { return state_->root / "home"; }
fs::path Workspace::scratch() const { return state_->root / "scratch"; }
int Workspace::port() const { return state_->port.first; }

std::pair<int, int> Workspace::engine_ports() const {
  return {state_->engine_ports.first, state_->engine_ports.last};
}

int Workspace::extra_port(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  if (const auto known = state_->extra.find(name); known != state_->extra.end())
    return known->second.first;
  auto claim = claim_port();
  if (!claim) return 0;
  return state_->extra.emplace(name, std::move(*claim)).first->second.first;
}

std::string Workspace::notify_socket(int instance) const {
  const std::string name = "notify-" + std::to_string(instance);
  const std::string path = (state_->root / name).string();
  if (path.size() < sizeof(sockaddr_un::sun_path)) return path;
  return "@aima-run-" + state_->run_id.substr(0, 60) + "-" + name;
}

Result<void> Workspace::note(const std::string& key, Json value) {
  return note(Json{{key, std::move(value)}});
}

Result<void> Workspace::note(const Json& values) {
  const std::lock_guard lock(state_->mutex);
  state_->notes.update(values);
  if (state_->removed) return {};
  return write_whole(state_->root / "run.json", state_->notes.dump(2) + "\n", true);
}

Json Workspace::notes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->notes;
}

void Workspace::leave_to_clean() { state_->kept = true; }

void Workspace::keep() {
  (void)note("kept", true);
  state_->kept = true;
}
}  // namespace harness

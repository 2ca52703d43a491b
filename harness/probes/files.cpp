// The `files` probe: what lies below a folder, and who holds a lock on any of it. The kernel's list
// of locks (/proc/locks) names device and inode, which are compared with the files' own.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "harness/base/pattern.h"
#include "harness/probes/rows.h"

namespace harness {
namespace {

struct Lock {
  std::string kind;   // FLOCK, POSIX, OFDLCK, LEASE
  std::string mode;   // READ, WRITE
  long pid = 0;
};

std::string lock_key(unsigned major_number, unsigned minor_number, std::uint64_t inode) {
  return fmt::format("{:02x}:{:02x}:{}", major_number, minor_number, inode);
}

// "1: FLOCK  ADVISORY  WRITE 708 08:01:1234 0 EOF"
std::multimap<std::string, Lock> kernel_locks() {
  std::multimap<std::string, Lock> locks;
  std::ifstream file("/proc/locks");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string number, kind, advisory, mode, place;
    long pid = 0;
    fields >> number >> kind;
    if (kind == "->") continue;  // a waiter, not a holder
    fields >> advisory >> mode >> pid >> place;
    locks.insert({place, {kind, mode, pid}});
  }
  return locks;
}

Json describe(const std::filesystem::path& path, const std::filesystem::path& root,
              const std::multimap<std::string, Lock>& locks, Json& held) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return nullptr;
  std::string name = path == root ? "." : std::filesystem::relative(path, root).string();
  auto [from, to] = locks.equal_range(
      lock_key(major(status.st_dev), minor(status.st_dev), status.st_ino));
  for (auto lock = from; lock != to; ++lock) {
    held.push_back({{"path", name}, {"kind", lock->second.kind}, {"mode", lock->second.mode},
                    {"pid", lock->second.pid}});
  }
  const char* type = S_ISREG(status.st_mode)    ? "file"
                     : S_ISDIR(status.st_mode)  ? "folder"
                     : S_ISSOCK(status.st_mode) ? "socket"
                     : S_ISLNK(status.st_mode)  ? "link"
                                                : "other";
  return {{"path", name}, {"type", type}, {"bytes", status.st_size},
          {"mode", fmt::format("{:04o}", status.st_mode & 07777)}};
}

}  // namespace

StepShape files_shape() {
  return {"files",
          "probe",
          "What lies below a folder: {files: [{path, type, bytes, mode}], locks: [{path, kind, mode, pid}]}.",
          "folder",
          {{"folder", ValueKind::text, false, "default: the daemon's data folder"},
           {"match", ValueKind::pattern, false, "only paths that match this regular expression (locks are always all)"}},
          true,
          false,
          "- files: {match: '\\.(lock|pid)$'}\n  expect: '(.files | length) == 0 and (.locks | length) == 0'",
          "nothing"};
}

Result<Observation> files_look(Session& session, const Arguments& arguments, const Limit&) {
  auto folder = substitute(arguments.text_or("folder", session.target.data), session.variables);
  if (!folder) return tl::unexpected(folder.error());
  std::filesystem::path root(*folder);
  std::error_code error;
  if (!std::filesystem::exists(root, error)) {
    return fail(ErrorKind::subject, fmt::format("files: {} does not exist", root.string()));
  }
  std::string pattern = arguments.text_or("match", "");
  const auto match = Pattern::compile(pattern);
  if (!match) return within("files", match.error());
  auto locks = kernel_locks();
  Json files = Json::array(), held = Json::array();
  describe(root, root, locks, held);
  for (auto entry = std::filesystem::recursive_directory_iterator(root, error);
       entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    Json one = describe(entry->path(), root, locks, held);
    if (one.is_null()) continue;
    const auto wanted = pattern.empty() ? Result<bool>(true) : match->found_in(one["path"].get<std::string>());
    if (!wanted) return within("files", wanted.error());
    if (*wanted) files.push_back(one);
    if (error) break;
  }
  Observation seen;
  seen.command = fmt::format("find {} -ls; cat /proc/locks", root.string());
  seen.document = {{"folder", root.string()}, {"files", files}, {"locks", held}};
  seen.summary = fmt::format("{}: {} entries{}, {} locks held", root.string(), files.size(),
                             pattern.empty() ? "" : " matching " + pattern, held.size());
  seen.evidence.push_back(session.recorder->evidence("files.json", seen.document.dump(2, ' ', false, Json::error_handler_t::replace)));
  return seen;
}
}  // namespace harness

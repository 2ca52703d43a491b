// The `files` probe: what lies below a folder, and who holds a lock on any of it.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "harness/base/pattern.h"
#include "harness/probes/rows.h"
#include "harness/target/kernel_locks.h"

namespace harness {
namespace {

std::string name_below(const std::filesystem::path& path, const std::filesystem::path& root) {
  return path == root ? "." : path.lexically_relative(root).string();
}

Json describe(const std::filesystem::path& path, const std::filesystem::path& root) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return nullptr;
  const char* type = S_ISREG(status.st_mode)    ? "file"
                     : S_ISDIR(status.st_mode)  ? "folder"
                     : S_ISSOCK(status.st_mode) ? "socket"
                     : S_ISLNK(status.st_mode)  ? "link"
                                                : "other";
  return {{"path", name_below(path, root)}, {"type", type}, {"bytes", status.st_size},
          {"mode", fmt::format("{:04o}", status.st_mode & 07777)}};
}

// False: something vanished while it was looked at, which may be there under another name. Half a list is
// never given for the whole: it would say of a file in the other half that it is not there.
Result<bool> list_files(const std::filesystem::path& root, const Pattern* match, Json& files) {
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(root, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    Json one = describe(entry->path(), root);
    if (one.is_null()) return false;
    if (match != nullptr) {
      const auto wanted = match->found_in(one["path"].get<std::string>());
      if (!wanted) return tl::unexpected(wanted.error());
      if (!*wanted) continue;
    }
    files.push_back(std::move(one));
  }
  if (!error) return true;
  if (error == std::errc::no_such_file_or_directory) return false;
  return fail(ErrorKind::environment, fmt::format("what lies below {} cannot be listed: {}",
                                                  root.string(), error.message()));
}

}  // namespace

StepShape files_shape() {
  return {"files",
          "probe",
          "What lies below a folder: {files: [{path, type, bytes, mode}], locks: [{path, kind, mode, range, pid}]}.",
          "folder",
          {{"folder", ValueKind::text, false, "default: the daemon's data folder"},
           {"match", ValueKind::pattern, false, "only paths that match this regular expression (locks are always all)"}},
          true,
          false,
          "- files: {match: '\\.(lock|pid)$'}\n  expect: '(.files | length) == 0 and (.locks | length) == 0'",
          "nothing"};
}

Result<Observation> files_look(Session& session, const Arguments& arguments, const Limit& limit) {
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
  const auto locks = locks_below(root);
  if (!locks) return within("files", locks.error());
  Json files = Json::array(), held = Json::array();
  for (const auto& lock : *locks) held.push_back(to_json(lock, name_below(lock.path, root)));
  for (bool whole = false; !whole;) {
    files = Json::array();
    auto listed = list_files(root, pattern.empty() ? nullptr : &*match, files);
    if (!listed) return within("files", listed.error());
    whole = *listed;
    if (!whole && limit.expired())
      return fail(ErrorKind::environment, fmt::format("files: {} changes faster than it can be listed",
                                                      root.string()));
  }
  Observation seen;
  seen.command = fmt::format("find {} -ls; lslocks", root.string());
  seen.document = {{"folder", root.string()}, {"files", files}, {"locks", held}};
  seen.summary = fmt::format("{}: {} entries{}, {} locks held", root.string(), files.size(),
                             pattern.empty() ? "" : " matching " + pattern, held.size());
  seen.evidence.push_back(session.recorder->evidence("files.json", seen.document.dump(2, ' ', false, Json::error_handler_t::replace)));
  return seen;
}
}  // namespace harness

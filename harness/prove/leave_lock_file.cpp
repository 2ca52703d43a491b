// leave-lock-file: with the daemon down, a lock file that it did not take away lies in its folder.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Where somebody looks at the files before the next start.
std::vector<Place> places_to_leave(const ProofSubject& subject) {
  if (subject.target.data.empty()) return {};
  const Course course(subject);
  std::vector<Place> places;
  for (const Passage* gap : course.gaps()) {
    for (const Passage* later : course.until_next_start(*gap)) {
      if (later->step->kind != "files") continue;
      places.push_back({"", gap->step->path});
      break;
    }
  }
  return places;
}

Result<std::string> leave_file(Live& live, const Limit&) {
  const fs::path file = fs::path(live.session.target.data) / (live.session.target.name + ".lock");
  if (std::error_code error; fs::exists(file, error)) {
    return fail(ErrorKind::environment, fmt::format("{} is there already", file.string()));
  }
  std::ofstream stream(file);
  stream << live.session.daemon->pid() << "\n";
  stream.close();
  std::error_code error;
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write, error);
  if (!stream || error)
    return fail(ErrorKind::environment, fmt::format("cannot write {}", file.string()));
  return fmt::format("left {} behind, with the pid {} of the dead daemon", file.filename().string(),
                     live.session.daemon->pid());
}

std::unique_ptr<Strike> leave(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap, leave_file);
}

}  // namespace

const WorldSabotage leave_lock_file = {"leave-lock-file",
                                       "with the daemon down, a lock file lies in its data folder",
                                       places_to_leave, leave};
}  // namespace harness

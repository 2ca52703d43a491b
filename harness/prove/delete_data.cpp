// delete-data: with the daemon down, all that its data folder holds is deleted, but for the
// instance files of native engines: they say which processes are the run's.
#include <fmt/format.h>

#include <filesystem>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::vector<Place> places_to_delete(const ProofSubject& subject) {
  if (subject.target.data.empty()) return {};
  const Course course(subject);
  std::vector<Place> places;
  for (const Passage* gap : course.gaps_before_checking()) {
    const bool files = gap->survey && gap->survey->value("files", 0) > 0;
    if (files) places.push_back({"", gap->step->path});
  }
  return places;
}

Result<std::string> delete_all(Live& live, const Limit&) {
  const TargetProfile& target = live.session.target;
  const fs::path data = target.data;
  // Only ever below the run's own sandbox (rule 9).
  std::error_code error;
  const fs::path inside = fs::relative(data, live.session.workspace->root(), error);
  if (error || inside.empty() || *inside.begin() == "..") {
    return fail(ErrorKind::environment,
                fmt::format("{} is not in the sandbox of the run", data.string()));
  }
  std::vector<fs::path> doomed;
  for (const auto& entry : fs::directory_iterator(data, error)) {
    const std::string path = entry.path().string();
    if (target.instance_files.empty() ||
        (path != target.instance_files && !target.instance_files.starts_with(path + "/"))) {
      doomed.push_back(entry.path());
    }
  }
  if (doomed.empty()) {
    return fail(ErrorKind::environment, fmt::format("there is nothing in {}", data.string()));
  }
  std::uintmax_t removed = 0;
  for (const auto& path : doomed) removed += fs::remove_all(path, error);
  for (const auto& path : doomed) {
    if (fs::exists(path, error)) {
      return fail(ErrorKind::environment, fmt::format("{} could not be deleted", path.string()));
    }
  }
  return fmt::format("deleted {} files and folders of the data folder", removed);
}

std::unique_ptr<Strike> empty_folder(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap, delete_all);
}

}  // namespace

const WorldSabotage delete_data = {
    "delete-data", "with the daemon down, all that its data folder holds is deleted",
    places_to_delete, empty_folder};
}  // namespace harness
